/// A histogram of durations in nanoseconds, with three significant digits from 1 ns to an hour.
///
/// It has the buckets of HdrHistogram with three digits: their width is 1 ns below 2,048 ns, and
/// doubles with each doubling of the duration, so a bucket is at most 0.1 % wide. Only buckets that
/// hold something exist, in order. A fixed table of them would take 135 kB, and a run has a
/// histogram for each session, and another one for each session and second.
///
/// Negative values (a clock disagreement, not a delay) are counted separately, and no percentile
/// includes them. A histogram encodes as sparse `[value, count]` pairs, so that a child process can
/// send an interval's histogram through a pipe and the runner can add up the intervals.
public struct DelayHistogram: Codable, Sendable {
    /// Durations that are counted together.
    private struct Bucket: Sendable {
        /// The longest of them.
        var end: UInt64
        var count: UInt64
    }

    /// Buckets by ascending end; there are at most 33,792.
    private var buckets: [Bucket] = []
    private var total: UInt64 = 0
    public private(set) var negativeCount = 0
    private var minimum = UInt64.max
    private var maximum: UInt64 = 0
    private var sum: Double = 0

    private static let highest: UInt64 = 3_600_000_000_000
    /// Number of buckets of 1 ns at the beginning, less one.
    private static let unitMask: UInt64 = 2047

    public init() {}

    public var count: Int { Int(clamping: total) }

    public mutating func record(nanoseconds: Int64) {
        guard nanoseconds >= 0 else {
            negativeCount += 1
            return
        }
        let value = min(UInt64(nanoseconds), Self.highest)
        record(value, count: 1)
        maximum = max(maximum, value)
        sum += Double(value)
    }

    private mutating func record(_ value: UInt64, count: UInt64) {
        guard count > 0 else { return }
        let exponent =
            Self.unitMask.leadingZeroBitCount - (value | Self.unitMask).leadingZeroBitCount
        let end = value | (1 << UInt64(exponent) - 1)
        let place = place(of: end)
        if place < buckets.count, buckets[place].end == end {
            buckets[place].count += count
        } else {
            buckets.insert(Bucket(end: end, count: count), at: place)
        }
        total += count
        minimum = min(minimum, value)
    }

    /// Returns the index of the first bucket that ends at `end` or later.
    private func place(of end: UInt64) -> Int {
        // Pairs of a report come in order.
        guard let last = buckets.last, last.end >= end else { return buckets.count }
        var (low, high) = (0, buckets.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if buckets[middle].end < end { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public mutating func add(_ other: DelayHistogram) {
        add(other.buckets)
        total += other.total
        minimum = min(minimum, other.minimum)
        negativeCount += other.negativeCount
        maximum = max(maximum, other.maximum)
        sum += other.sum
    }

    /// Adds buckets that are in order. Those that are new are merged together: an insertion moves all
    /// buckets behind it, and a wide distribution has thousands of them.
    private mutating func add(_ others: [Bucket]) {
        guard !buckets.isEmpty else {
            buckets = others
            return
        }
        var new: [Bucket] = []
        for other in others {
            let place = place(of: other.end)
            if place < buckets.count, buckets[place].end == other.end {
                buckets[place].count += other.count
            } else {
                new.append(other)
            }
        }
        var (left, newLeft) = (buckets.count, new.count)
        buckets += new
        // The last place is filled first, so that nothing is overwritten before it has moved.
        while newLeft > 0 {
            let place = left + newLeft - 1
            if left > 0, buckets[left - 1].end > new[newLeft - 1].end {
                left -= 1
                buckets[place] = buckets[left]
            } else {
                newLeft -= 1
                buckets[place] = new[newLeft]
            }
        }
    }

    /// Value at `percentile` (0…100) in milliseconds; nil if nothing was recorded.
    public func milliseconds(atPercentile percentile: Double) -> Double? {
        guard total > 0 else { return nil }
        guard percentile > 0 else { return Double(min(minimum, maximum)) / 1e6 }
        // Rounding must not lead to the bucket behind the one that holds the percentile.
        let rank = max(
            1, UInt64((min(percentile.nextDown, 100) * Double(total) / 100).rounded(.up)))
        var passed: UInt64 = 0
        for bucket in buckets {
            passed += bucket.count
            // A bucket's end may lie above the largest value seen.
            if passed >= rank { return Double(min(bucket.end, maximum)) / 1e6 }
        }
        return maximumMilliseconds
    }

    public var meanMilliseconds: Double? { total == 0 ? nil : sum / Double(total) / 1e6 }
    /// Exact maximum, not rounded to a bucket.
    public var maximumMilliseconds: Double? { total == 0 ? nil : Double(maximum) / 1e6 }

    private enum CodingKeys: String, CodingKey { case values, negative, max, sum }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let pairs = try container.decode([UInt64].self, forKey: .values)
        guard pairs.count % 2 == 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .values, in: container, debugDescription: "value without a count")
        }
        buckets.reserveCapacity(pairs.count / 2)
        // Sorted pairs are appended. Others would be inserted, which moves all buckets behind them.
        let places = stride(from: 0, to: pairs.count, by: 2).sorted { pairs[$0] < pairs[$1] }
        for i in places {
            guard let count = UInt32(exactly: pairs[i + 1]) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .values, in: container, debugDescription: "count out of range")
            }
            record(min(pairs[i], Self.highest), count: UInt64(count))
        }
        guard
            let negative = UInt32(exactly: try container.decode(Int.self, forKey: .negative))
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .negative, in: container, debugDescription: "count out of range")
        }
        negativeCount = Int(negative)
        maximum = try container.decode(UInt64.self, forKey: .max)
        sum = try container.decode(Double.self, forKey: .sum)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(buckets.flatMap { [$0.end, $0.count] }, forKey: .values)
        try container.encode(negativeCount, forKey: .negative)
        try container.encode(maximum, forKey: .max)
        try container.encode(sum, forKey: .sum)
    }
}
