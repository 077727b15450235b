public import Histogram

/// A histogram of durations in nanoseconds, with three significant digits from 1 ns to an hour, in
/// constant memory.
///
/// Negative values (a clock disagreement, not a delay) are counted separately, and no percentile
/// includes them. A histogram encodes as sparse `[value, count]` pairs, so that a child process can
/// send an interval's histogram through a pipe and the runner can add up the intervals.
public struct DelayHistogram: Codable, Sendable {
    public private(set) var histogram: Histogram<UInt32>
    public private(set) var negativeCount = 0
    private var maximum: UInt64 = 0
    private var sum: Double = 0

    private static let highest: UInt64 = 3_600_000_000_000
    /// The histogram of nothing. All share its 135 kB until they record their first duration.
    private static let empty = Histogram<UInt32>(highestTrackableValue: highest)

    public init() { histogram = Self.empty }

    public var count: Int { Int(histogram.totalCount) }

    public mutating func record(nanoseconds: Int64) {
        guard nanoseconds >= 0 else {
            negativeCount += 1
            return
        }
        let value = min(UInt64(nanoseconds), Self.highest)
        histogram.record(value)
        maximum = max(maximum, value)
        sum += Double(value)
    }

    public mutating func add(_ other: DelayHistogram) {
        guard other.count > 0 || other.negativeCount > 0 else { return }
        histogram.add(other.histogram)
        negativeCount += other.negativeCount
        maximum = max(maximum, other.maximum)
        sum += other.sum
    }

    /// Value at `percentile` (0…100) in milliseconds; nil if nothing was recorded.
    public func milliseconds(atPercentile percentile: Double) -> Double? {
        // A bucket's upper end may lie above the largest value seen.
        count == 0 ? nil : Double(min(histogram.valueAtPercentile(percentile), maximum)) / 1e6
    }

    public var meanMilliseconds: Double? { count == 0 ? nil : sum / Double(count) / 1e6 }
    /// Exact maximum, not rounded to a bucket.
    public var maximumMilliseconds: Double? { count == 0 ? nil : Double(maximum) / 1e6 }

    private enum CodingKeys: String, CodingKey { case values, negative, max, sum }

    public init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let pairs = try container.decode([UInt64].self, forKey: .values)
        guard pairs.count % 2 == 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .values, in: container, debugDescription: "value without a count")
        }
        for i in stride(from: 0, to: pairs.count, by: 2) {
            guard let count = UInt32(exactly: pairs[i + 1]) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .values, in: container, debugDescription: "count out of range")
            }
            histogram.record(min(pairs[i], Self.highest), count: count)
        }
        negativeCount = try container.decode(Int.self, forKey: .negative)
        maximum = try container.decode(UInt64.self, forKey: .max)
        sum = try container.decode(Double.self, forKey: .sum)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let pairs = histogram.recordedValues().flatMap { [$0.value, UInt64($0.count)] }
        try container.encode(pairs, forKey: .values)
        try container.encode(negativeCount, forKey: .negative)
        try container.encode(maximum, forKey: .max)
        try container.encode(sum, forKey: .sum)
    }
}
