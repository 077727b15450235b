public import SimulationKernel

/// Model of the packets that get lost before they reach the queue.
public enum LossModel: Sendable, Hashable, Codable {
    case none
    /// Each packet is lost independently with this probability.
    case bernoulli(Double)
    /// Gilbert–Elliott: two states, which are left with `p` (good to bad) and `r` (bad to good)
    /// after each packet; a packet is lost with `lossInGood` or `lossInBad`. With 0 and 1 this is
    /// Gilbert's model: loss rate p / (p + r), mean burst 1 / r packets. netem's `gemodel` names
    /// 1-h = `lossInBad` and 1-k = `lossInGood`. (Elliott 1963; tc-netem(8).)
    case gilbertElliott(p: Double, r: Double, lossInBad: Double = 1, lossInGood: Double = 0)
    /// netem's four-state Markov chain (Salsano et al. 2009; tc-netem(8) `loss state`). State 1 is
    /// received in a gap, 2 is received in a burst, 3 is lost in a burst, and 4 is lost alone in a
    /// gap (always back to 1). The state to which a packet leads determines whether it is lost.
    case fourState(p13: Double, p31: Double, p32: Double, p23: Double, p14: Double)
    /// Packet i is lost if entry i is true; the list repeats.
    case replay([Bool])
    /// Entry k is the probability after k losses in a row; the last entry holds for longer runs.
    case afterLosses([Double])

    func check() throws(LinkError) {
        switch self {
        case .none: break
        case .bernoulli(let p):
            try LinkError.check(probability: p, "the loss probability")
        case .gilbertElliott(let p, let r, let bad, let good):
            try LinkError.check(probability: p, "p (good to bad)")
            try LinkError.check(probability: r, "r (bad to good)")
            try LinkError.check(probability: bad, "the loss in the bad state (1-h)")
            try LinkError.check(probability: good, "the loss in the good state (1-k)")
        case .fourState(let p13, let p31, let p32, let p23, let p14):
            for (name, p) in [
                ("p13", p13), ("p31", p31), ("p32", p32), ("p23", p23), ("p14", p14),
                ("p13 + p14", p13 + p14), ("p31 + p32", p31 + p32),
            ] { try LinkError.check(probability: p, name) }
        case .replay(let list):
            guard !list.isEmpty else {
                throw LinkError("the list of losses is empty; give it at least one entry")
            }
        case .afterLosses(let list):
            guard !list.isEmpty else {
                throw LinkError("the list of loss probabilities is empty; give it an entry")
            }
            for p in list { try LinkError.check(probability: p, "a loss probability") }
        }
    }
}

/// The running form of a `LossModel`, which decides on one packet after the other.
public struct LossProcess: Sendable {
    private let model: LossModel
    private let kind: Kind
    private let p: Double
    private var random: SeededGenerator
    /// State of the model: 1 if Gilbert–Elliott is in its bad state; the number of the chain's
    /// state, from 1; or the index in a list.
    private var state: Int

    private enum Kind: Sendable { case none, bernoulli, other }

    /// - Throws: `LinkError` if a probability is outside 0 to 1 or a list is empty.
    public init(_ model: LossModel, random: SeededGenerator) throws(LinkError) {
        try model.check()
        self.model = model
        self.random = random
        switch model {
        case .none: (kind, p, state) = (.none, 0, 0)
        case .bernoulli(let p): (kind, self.p, state) = (.bernoulli, p, 0)
        case .fourState: (kind, p, state) = (.other, 0, 1)
        case .gilbertElliott, .replay, .afterLosses: (kind, p, state) = (.other, 0, 0)
        }
    }

    /// Determines whether the next packet is lost.
    public mutating func loses() -> Bool {
        switch kind {
        case .none: false
        case .bernoulli: random.nextUnit() < p
        case .other: decide()
        }
    }

    private mutating func decide() -> Bool {
        switch model {
        case .none, .bernoulli: return false
        case .gilbertElliott(let p, let r, let bad, let good):
            let loss = state == 1 ? bad : good
            let lost = loss >= 1 || (loss > 0 && random.nextUnit() < loss)
            if random.nextUnit() < (state == 1 ? r : p) { state = 1 - state }
            return lost
        case .fourState(let p13, let p31, let p32, let p23, let p14):
            let unit = random.nextUnit()
            switch state {
            case 1: state = unit < p14 ? 4 : unit < p14 + p13 ? 3 : 1
            case 2: state = unit < p23 ? 3 : 2
            case 3: state = unit < p32 ? 2 : unit < p32 + p31 ? 1 : 3
            default: state = 1
            }
            return state >= 3
        case .replay(let list):
            let lost = list[state]
            state = state + 1 == list.count ? 0 : state + 1
            return lost
        case .afterLosses(let list):
            let lost = random.nextUnit() < list[min(state, list.count - 1)]
            state = lost ? state + 1 : 0
            return lost
        }
    }
}
