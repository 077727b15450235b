/// The default estimator of dash.js 5.1. It equals Sabre's, but a sample weighs 1.5 times its
/// transfer time and the estimate is a whole number of kbit/s.
public struct DashJSEstimator: ThroughputEstimator {
    /// Half-lives in seconds of weight.
    public static let halfLives = (fast: 3.0, slow: 8.0)
    /// Weight per ms of transfer time.
    public static let weightFactor = 0.0015

    public private(set) var throughput = Double.nan
    public var latency: Double { latencies.value }

    private var average = FastSlowAverage(fast: Self.halfLives.fast, slow: Self.halfLives.slow)
    private var latencies = LatencyAverage()

    public init() {}

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        latencies.add(timeToFirstByte)
        guard transferTime > 0 else { return }
        average.add(bits / transferTime, weight: Self.weightFactor * transferTime)
        throughput = min(average.fast, average.slow).rounded()
    }
}

/// The default estimator of hls.js 1.7. The time of a sample is the time of the request less the
/// expected time to first byte, so that only an unexpected wait counts as lack of throughput.
public struct HLSJSEstimator: ThroughputEstimator {
    /// Half-lives in seconds of weight.
    public static let halfLives = (fast: 3.0, slow: 9.0)
    /// Shortest time that a sample counts (ms); it is less for small samples.
    public static let minimumTime = 50.0
    /// Bytes per ms below which `minimumTime` is lowered.
    public static let minimumTimeBytes = 100_000.0
    /// Latency before the first sample (ms).
    public static let defaultLatency = 100.0
    /// Times to first byte below this value count as this value (ms).
    public static let minimumLatency = 5.0

    public private(set) var throughput = Double.nan
    public var latency: Double { latencies.weight > 0 ? latencies.slow : 0 }

    private var average = FastSlowAverage(fast: Self.halfLives.fast, slow: Self.halfLives.slow)
    private var latencies = FastSlowAverage(fast: Self.halfLives.slow, slow: Self.halfLives.slow)

    public init() {}

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        var time = transferTime
        if !timeToFirstByte.isNaN {
            let seconds = timeToFirstByte / 1000
            latencies.add(
                max(timeToFirstByte, Self.minimumLatency),
                weight: 2.0.squareRoot() * exponential(-seconds * seconds / 2))
            let expected = latencies.weight > 0 ? latencies.slow : Self.defaultLatency
            time += timeToFirstByte - min(timeToFirstByte, expected)
        }
        time = max(time, min(Self.minimumTime, bits / 8 / Self.minimumTimeBytes))
        guard time > 0 else { return }
        average.add(bits / time, weight: time / 1000)
        throughput = min(average.fast, average.slow)
    }
}

/// The default estimator of Shaka Player. It has short half-lives, ignores small samples and gives
/// no estimate before 128 kB.
public struct ShakaEstimator: ThroughputEstimator {
    /// Half-lives in seconds of transfer time.
    public static let halfLives = (fast: 2.0, slow: 5.0)
    /// Size in bits below which samples are ignored: 16 kB.
    public static let minimumSample = 16_000.0 * 8
    /// Number of bits below which there is no estimate: 128 kB.
    public static let minimumTotal = 128_000.0 * 8

    public private(set) var throughput = Double.nan
    public var latency: Double { latencies.value }

    private var average = FastSlowAverage(fast: Self.halfLives.fast, slow: Self.halfLives.slow)
    private var latencies = LatencyAverage()
    private var total = 0.0

    public init() {}

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        latencies.add(timeToFirstByte)
        guard transferTime > 0, bits >= Self.minimumSample else { return }
        average.add(bits / transferTime, weight: transferTime / 1000)
        total += bits
        if total >= Self.minimumTotal { throughput = min(average.fast, average.slow) }
    }
}
