/// Learn2Adapt-LowLatency (Karagkioules, Mekuria, Griffioen, Wagenaar: "Online Learning for
/// Low-Latency Adaptive Streaming", MMSys 2020): online convex optimisation over a probability
/// distribution on the renditions, with a multiplier that keeps track of the buffer's displacement.
///
/// Rates are kbit/s and times seconds throughout; dash.js 5.1 mixes bit/s with kbit/s in the
/// multiplier and in the step-up test.
public struct L2ALL: ABRAlgorithm {
    /// T, the number of steps of the optimisation horizon.
    public static let horizon = 4.0
    /// Exponent of the cautiousness: V_L = T^0.99.
    public static let cautiousnessExponent = 0.99
    /// Strength of the multiplier's reaction to a rendition above the throughput.
    public static let reactiveness = 2.0
    /// Buffer level below which the throughput decides (ms).
    public static let startBuffer = 1500.0

    /// The constant V_L.
    static let cautiousness = power(horizon, cautiousnessExponent)
    /// The constant alpha.
    static let stepSize = max(horizon, cautiousness * horizon.squareRoot())

    private var isStarting = true
    /// The vector w: a probability per rendition.
    private(set) var weights: [Double]
    /// Q, the multiplier.
    private(set) var multiplier = 0.0

    public init(title: Title) { weights = [Double](repeating: 0, count: title.renditionCount) }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard state.hasEstimate, !state.lastThroughput.isNaN else { return Decision(rendition: 0) }
        guard isStarting || state.lastRendition < 0 else {
            return Decision(rendition: learn(state))
        }
        let rendition = state.sustainableRendition(ThroughputRule.safetyFactor * state.throughput)
        if state.bufferLevel >= Self.startBuffer {
            isStarting = false
            multiplier = Self.cautiousness
            for index in weights.indices { weights[index] = index == rendition ? 1 : 0 }
        }
        return Decision(rendition: rendition)
    }

    private mutating func learn(_ state: PlayerState) -> Int {
        let bitrates = state.title.bitrates
        let duration = state.title.segmentDuration / 1000
        let rate = state.playbackRate
        // The minimum avoids a division by zero in an outage.
        let throughput = max(state.lastThroughput, 1)
        let factor =
            duration / (2 * Self.stepSize) * (multiplier + Self.cautiousness) * rate / throughput
        var next = weights
        for (rendition, bitrate) in bitrates.enumerated() {
            // A rendition that the last throughput does not sustain becomes less likely.
            let sign = rate * bitrate > throughput ? -1.0 : 1.0
            next[rendition] += sign * factor * bitrate
        }
        Self.projectOnSimplex(&next)
        // <r, w> + <r, w - w_prev>, with the new w in both terms, as in dash.js.
        var expected = 0.0
        var change = 0.0
        for (rendition, bitrate) in bitrates.enumerated() {
            expected += bitrate * next[rendition]
            change += bitrate * (next[rendition] - weights[rendition])
        }
        weights = next
        multiplier = max(
            0, multiplier - duration + duration * rate * (expected + change) / throughput)
        var rendition = 0
        for other in bitrates.indices
        where abs(bitrates[other] - expected) < abs(bitrates[rendition] - expected) {
            rendition = other
        }
        // The rendition rises one step at a time, and only if the last throughput sustains it.
        let last = state.lastRendition
        if rendition > last { rendition = bitrates[last + 1] <= throughput ? last + 1 : last }
        if bitrates[rendition] >= throughput {
            multiplier = Self.reactiveness * max(Self.cautiousness, multiplier)
        }
        return rendition
    }

    public mutating func seeked(_ state: PlayerState) { isStarting = true }

    /// Euclidean projection on {x >= 0, sum x = 1} (Chen and Ye, arXiv:1101.6081).
    static func projectOnSimplex(_ values: inout [Double]) {
        let sorted = values.sorted(by: >)
        var sum = 0.0
        var threshold = 0.0
        for (index, value) in sorted.enumerated() {
            sum += value
            let candidate = (sum - 1) / Double(index + 1)
            // This finds the largest prefix whose values all stay above the threshold.
            if value > candidate { threshold = candidate }
        }
        for index in values.indices { values[index] = max(values[index] - threshold, 0) }
    }
}
