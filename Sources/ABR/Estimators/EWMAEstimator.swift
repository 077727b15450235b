/// Exponentially weighted moving averages with several half-lives, bias-corrected; the lowest
/// throughput and the highest latency of them count (Sabre, after dash.js).
public struct EWMAEstimator: ThroughputEstimator {
    /// ms, of transfer time.
    public static let defaultHalfLives = (3_000.0, 8_000.0)

    public private(set) var throughput = Double.nan
    public private(set) var latency = 0.0

    private struct Average {
        var halfLife: Double
        /// In samples.
        var latencyHalfLife: Double
        var latencyDecay: Double
        var throughput = 0.0
        var latency = 0.0

        init(halfLife: Double, segmentDuration: Double) {
            self.halfLife = halfLife
            latencyHalfLife = halfLife / segmentDuration
            latencyDecay = halfLifeDecay(1, latencyHalfLife)
        }

        @inline(__always)
        mutating func add(throughput sample: Double, weight: Double) {
            let decay = halfLifeDecay(weight, halfLife)
            throughput = decay * throughput + (1 - decay) * sample
        }

        @inline(__always)
        mutating func add(latency sample: Double) {
            latency = latencyDecay * latency + (1 - latencyDecay) * sample
        }
    }

    private var first: Average
    private var second: Average
    private var weight = 0.0
    private var latencySamples = 0.0

    /// - Parameter segmentDuration: ms; the latency's half-lives are this many samples.
    public init(
        segmentDuration: Double, halfLives: (Double, Double) = Self.defaultHalfLives
    ) {
        first = Average(halfLife: halfLives.0, segmentDuration: segmentDuration)
        second = Average(halfLife: halfLives.1, segmentDuration: segmentDuration)
    }

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        if transferTime > 0 {
            let sample = bits / transferTime
            first.add(throughput: sample, weight: transferTime)
            second.add(throughput: sample, weight: transferTime)
            weight += transferTime
            throughput = min(
                first.throughput / (1 - halfLifeDecay(weight, first.halfLife)),
                second.throughput / (1 - halfLifeDecay(weight, second.halfLife)))
        }
        guard !timeToFirstByte.isNaN else { return }
        first.add(latency: timeToFirstByte)
        second.add(latency: timeToFirstByte)
        latencySamples += 1
        latency = max(
            first.latency / (1 - halfLifeDecay(latencySamples, first.latencyHalfLife)),
            second.latency / (1 - halfLifeDecay(latencySamples, second.latencyHalfLife)))
    }
}
