/// Exponentially weighted moving averages with several half-lives, bias-corrected. The lowest
/// throughput and the highest latency of them count (Sabre, after dash.js).
public struct EWMAEstimator: ThroughputEstimator {
    /// Half-lives in ms of transfer time.
    public static let defaultHalfLives = (3_000.0, 8_000.0)

    public private(set) var throughput = Double.nan
    public private(set) var latency = 0.0

    private struct Average {
        var halfLife: Double
        /// Half-life of the latency in samples.
        var latencyHalfLife: Double
        var latencyDecay: Double
        var throughput = 0.0
        var latency = 0.0

        init(halfLife: Double, segmentDuration: Double, half: Double) {
            self.halfLife = halfLife
            latencyHalfLife = halfLife / segmentDuration
            latencyDecay = decay(half, 1, latencyHalfLife)
        }

        @inline(__always)
        mutating func add(throughput sample: Double, weight: Double, half: Double) {
            let kept = decay(half, weight, halfLife)
            throughput = kept * throughput + (1 - kept) * sample
        }

        @inline(__always)
        mutating func add(latency sample: Double) {
            latency = latencyDecay * latency + (1 - latencyDecay) * sample
        }
    }

    private var first: Average
    private var second: Average
    /// 0.5, computed so that the optimizer does not know it (see `decay`).
    private let half: Double
    private var weight = 0.0
    private var latencySamples = 0.0

    /// - Parameter segmentDuration: duration of a segment in ms; the latency's half-lives are the
    ///   throughput's, divided by it.
    public init(
        segmentDuration: Double, halfLives: (Double, Double) = Self.defaultHalfLives
    ) {
        half = segmentDuration / (2 * segmentDuration)
        first = Average(
            halfLife: halfLives.0, segmentDuration: segmentDuration, half: half)
        second = Average(
            halfLife: halfLives.1, segmentDuration: segmentDuration, half: half)
    }

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        if transferTime > 0 {
            let sample = bits / transferTime
            first.add(throughput: sample, weight: transferTime, half: half)
            second.add(throughput: sample, weight: transferTime, half: half)
            weight += transferTime
            throughput = min(
                first.throughput / (1 - decay(half, weight, first.halfLife)),
                second.throughput / (1 - decay(half, weight, second.halfLife)))
        }
        guard !timeToFirstByte.isNaN else { return }
        first.add(latency: timeToFirstByte)
        second.add(latency: timeToFirstByte)
        latencySamples += 1
        latency = max(
            first.latency / (1 - decay(half, latencySamples, first.latencyHalfLife)),
            second.latency / (1 - decay(half, latencySamples, second.latencyHalfLife)))
    }
}
