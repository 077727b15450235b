/// Mean of the last samples (dash.js's "sliding" estimate): four of them, and one more for each
/// neighbouring pair in the window that differs much.
public struct SlidingMeanEstimator: ThroughputEstimator {
    public static let window = 4
    public static let maximumSamples = 20
    /// Ratio of a newer sample to the older one that widens the window.
    public static let risingRatio = 1.3
    public static let fallingRatio = 0.7

    public private(set) var throughput = Double.nan
    public var latency: Double { latencies.value }

    /// Samples in kbit/s, oldest first.
    private var samples: [Double] = []
    private var latencies = LatencyAverage()

    public init() {}

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        latencies.add(timeToFirstByte)
        guard transferTime > 0 else { return }
        if samples.count == Self.maximumSamples { samples.removeFirst() }
        samples.append(bits / transferTime)
        let count = windowLength()
        throughput = samples.suffix(count).reduce(0, +) / Double(count)
    }

    private func windowLength() -> Int {
        var length = min(Self.window, samples.count)
        var back = 1
        while back < length, length < samples.count {
            let newer = samples[samples.count - back]
            let ratio = newer / samples[samples.count - back - 1]
            if ratio >= Self.risingRatio || ratio <= Self.fallingRatio { length += 1 }
            back += 1
        }
        return length
    }
}

/// Harmonic mean of the last five samples (Yin et al., SIGCOMM 2015; Pensieve).
public struct HarmonicMeanEstimator: ThroughputEstimator {
    public static let window = 5

    public private(set) var throughput = Double.nan
    public var latency: Double { latencies.value }

    /// Inverses of the last samples in ms per bit, in a ring.
    private var inverses = SIMD8<Double>(repeating: 0)
    private var count = 0
    private var latencies = LatencyAverage()

    public init() {}

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        latencies.add(timeToFirstByte)
        guard transferTime > 0, bits > 0 else { return }
        inverses[count % Self.window] = transferTime / bits
        count += 1
        let used = min(count, Self.window)
        var sum = 0.0
        for index in 0..<used { sum += inverses[index] }
        throughput = Double(used) / sum
    }
}

/// media3's (ExoPlayer's) estimate: the median of recent samples, each weighted by the square root
/// of its size in bytes; the window holds a weight of 2000.
public struct WeightedMedianEstimator: ThroughputEstimator {
    public static let maximumWeight = 2000.0
    /// The estimate begins once this time (ms) or amount of data (bits: 512 KiB) was counted.
    public static let minimumTime = 2000.0
    public static let minimumBits = 512.0 * 1024 * 8

    public private(set) var throughput = Double.nan
    public var latency: Double { latencies.value }

    private struct Sample {
        var weight: Double
        /// Throughput in kbit/s.
        var value: Double
    }

    /// Samples, oldest first.
    private var samples: [Sample] = []
    private var totalWeight = 0.0
    private var totalTime = 0.0
    private var totalBits = 0.0
    private var latencies = LatencyAverage()

    public init() {}

    public mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double) {
        latencies.add(timeToFirstByte)
        guard transferTime > 0, bits > 0 else { return }
        totalTime += transferTime
        totalBits += bits
        let weight = (bits / 8).squareRoot()
        samples.append(Sample(weight: weight, value: bits / transferTime))
        totalWeight += weight
        trim()
        if totalTime >= Self.minimumTime || totalBits >= Self.minimumBits { throughput = median() }
    }

    /// Removes the weight above the maximum from the oldest samples.
    private mutating func trim() {
        var gone = 0
        while totalWeight > Self.maximumWeight {
            let excess = totalWeight - Self.maximumWeight
            if samples[gone].weight <= excess {
                totalWeight -= samples[gone].weight
                gone += 1
            } else {
                samples[gone].weight -= excess
                totalWeight = Self.maximumWeight
            }
        }
        samples.removeFirst(gone)
    }

    /// Returns the first value at which half of the weight is reached.
    private func median() -> Double {
        let sorted = samples.sorted { $0.value < $1.value }
        var reached = 0.0
        for sample in sorted {
            reached += sample.weight
            if reached >= totalWeight / 2 { return sample.value }
        }
        return sorted[sorted.count - 1].value
    }
}
