import SimulationKernel

/// Proportional Integral controller Enhanced (RFC 8033).
public struct PIEParameters: Sendable, Hashable {
    /// QDELAY_REF in nanoseconds; the RFC's value is 15 ms.
    public var targetNanoseconds: Int64
    /// T_UPDATE in nanoseconds; the RFC's value is 15 ms.
    public var updateNanoseconds: Int64
    /// MAX_BURST in nanoseconds; the RFC's value is 150 ms.
    public var burstNanoseconds: Int64

    public init(
        targetNanoseconds: Int64 = 15_000_000, updateNanoseconds: Int64 = 15_000_000,
        burstNanoseconds: Int64 = 150_000_000
    ) {
        self.targetNanoseconds = targetNanoseconds
        self.updateNanoseconds = updateNanoseconds
        self.burstNanoseconds = burstNanoseconds
    }

    func check() throws(LinkError) {
        for (name, value, least) in [
            ("target", targetNanoseconds, Int64(1)), ("tupdate", updateNanoseconds, 100_000),
            ("burst", burstNanoseconds, 0),
        ] where !(least...DelayModel.longest).contains(value) {
            throw LinkError("PIE's \(name) is \(value) ns; it takes \(least) ns to one day")
        }
    }
}

/// State of the algorithm, with the RFC's terms. The queue's delay is the time that the packet sent
/// last had waited (the RFC's variant with timestamps, as in Linux).
struct PIE: Sendable {
    /// MEAN_PKTSIZE in bytes.
    private static let meanPacketBytes = 1500

    private let parameters: PIEParameters
    private var random: SeededGenerator
    /// Time in nanoseconds that the packet sent last had waited; 0 if the queue is empty.
    var sojourn: Int64 = 0
    private(set) var dropProbability = 0.0
    private var accumulated = 0.0
    private var oldDelay: Int64 = 0
    private var burstAllowance: Int64
    private var nextUpdate: Int64

    init(_ parameters: PIEParameters, random: SeededGenerator) {
        self.parameters = parameters
        self.random = random
        burstAllowance = parameters.burstNanoseconds
        nextUpdate = parameters.updateNanoseconds
    }

    /// Runs the updates that are due by `now`; nothing has been dequeued since the last call.
    mutating func update(until now: Int64, queueIsEmpty: Bool) {
        while nextUpdate <= now {
            if queueIsEmpty {
                sojourn = 0
                // The algorithm is at rest, so it skips to the first update after `now`.
                if dropProbability == 0, oldDelay == 0,
                    burstAllowance == parameters.burstNanoseconds
                {
                    let missed = (now - nextUpdate) / parameters.updateNanoseconds
                    nextUpdate += (missed + 1) * parameters.updateNanoseconds
                    return
                }
            }
            updateOnce()
            nextUpdate += parameters.updateNanoseconds
        }
    }

    /// Performs one update (RFC 8033, sections 4.2 and 4.4, with the 2 % bound of section 5.5).
    private mutating func updateOnce() {
        let target = parameters.targetNanoseconds
        var p =
            (0.125 * Double(sojourn - target) + 1.25 * Double(sojourn - oldDelay)) / 1e9
        let scale: Double =
            switch dropProbability {
            case ..<0.000_001: 1 / 2048
            case ..<0.000_01: 1 / 512
            case ..<0.000_1: 1 / 128
            case ..<0.001: 1 / 32
            case ..<0.01: 1 / 8
            case ..<0.1: 1 / 2
            default: 1.0
            }
        p *= scale
        if dropProbability >= 0.1, p > 0.02 { p = 0.02 }
        dropProbability += p
        if sojourn == 0, oldDelay == 0 { dropProbability *= 0.98 }
        dropProbability = min(1, max(0, dropProbability))
        // A probability of less than one packet in ten million counts as 0.
        if sojourn == 0, dropProbability < 1e-7 { dropProbability = 0 }
        burstAllowance = max(0, burstAllowance - parameters.updateNanoseconds)
        if dropProbability == 0, sojourn < target / 2, oldDelay < target / 2 {
            burstAllowance = parameters.burstNanoseconds
        }
        oldDelay = sojourn
    }

    /// Determines whether a packet that arrives now is dropped before the queue is full (RFC 8033,
    /// section 4.1, with the derandomisation of section 5.4).
    mutating func dropsEarly(queuedBytes: Int) -> Bool {
        if burstAllowance > 0 { return false }
        if oldDelay < parameters.targetNanoseconds / 2, dropProbability < 0.2 { return false }
        if queuedBytes <= 2 * Self.meanPacketBytes { return false }
        if dropProbability == 0 { accumulated = 0 }
        accumulated += dropProbability
        if accumulated < 0.85 { return false }
        guard accumulated >= 8.5 || random.nextUnit() < dropProbability else { return false }
        accumulated = 0
        return true
    }
}
