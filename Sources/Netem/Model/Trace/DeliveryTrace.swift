/// Mahimahi's form of a varying link: each opportunity delivers up to 1504 bytes at one
/// millisecond.
///
/// Documented semantics: the queued packets share the bytes of an opportunity, a packet may use
/// several opportunities, and bytes for which no packet waits are wasted. The trace repeats; its
/// length is its last timestamp. (mahimahi, man page of mm-link.)
public struct DeliveryTrace: Sendable, Hashable {
    /// Number of bytes of one opportunity: an Ethernet payload of 1500 bytes and the TUN header of
    /// 4.
    public static let opportunityBytes = 1504
    /// Length of the longest trace in milliseconds (a year).
    static let longestMilliseconds: Int64 = 366 * 86_400_000

    /// Time of each opportunity in milliseconds from the start of the trace, in order.
    public let milliseconds: [Int64]

    /// - Parameter milliseconds: at least one, never decreasing, 0 or more, the last more than 0.
    /// - Throws: `TraceError` without a file; `line` is the timestamp's number from 1.
    public init(milliseconds: [Int64]) throws(TraceError) {
        guard let last = milliseconds.last else {
            throw TraceError(
                .empty, "the trace has no opportunity; put one millisecond timestamp on each line")
        }
        for (i, time) in milliseconds.enumerated() {
            guard time >= 0 else {
                throw TraceError(
                    .negative, line: i + 1, "the timestamp is \(time); it takes 0 or more")
            }
            guard i == 0 || time >= milliseconds[i - 1] else {
                throw TraceError(
                    .notMonotone, line: i + 1,
                    "the timestamp \(time) comes after \(milliseconds[i - 1]); sort the lines")
            }
        }
        guard last > 0 else {
            throw TraceError(
                .zeroLength, line: milliseconds.count,
                "the trace lasts 0 ms; its last timestamp must be more than 0")
        }
        guard last <= Self.longestMilliseconds else {
            throw TraceError(
                .outOfRange, line: milliseconds.count,
                "the trace lasts \(last) ms, more than a year; timestamps are milliseconds")
        }
        self.milliseconds = milliseconds
    }

    /// Length of the trace before it repeats, milliseconds.
    public var cycleMilliseconds: Int64 { milliseconds[milliseconds.count - 1] }

    /// Mean rate over one cycle.
    public var averageBitsPerSecond: Double {
        Double(milliseconds.count * Self.opportunityBytes * 8) * 1000 / Double(cycleMilliseconds)
    }

    /// Returns the mean rate of each bin, for flow-level use. An opportunity belongs to the bin in
    /// which the millisecond before it ended, so that no rate is ahead of the trace by more than a
    /// bin.
    /// - Parameter binMilliseconds: more than 0.
    public func rateSchedule(
        binMilliseconds: Int64 = 100, startOffsetNanoseconds: Int64 = 0
    ) throws(RateScheduleError) -> RateSchedule {
        precondition(binMilliseconds > 0, "a bin lasts more than 0 ms")
        var periods: [RateSchedule.Period] = []
        func add(_ opportunities: Int, from start: Int64, to end: Int64) {
            let bits = Double(opportunities * Self.opportunityBytes * 8)
            periods.append(
                .init(
                    durationNanoseconds: (end - start) * 1_000_000,
                    bitsPerSecond: Int64((bits * 1000 / Double(end - start)).rounded())))
        }
        var end: Int64 = 0
        var next = 0
        while next < milliseconds.count {
            // An opportunity at 0 counts in the first bin.
            let start = max(0, milliseconds[next] - 1) / binMilliseconds * binMilliseconds
            // Successive empty bins make one period, so that there are never more than twice as
            // many periods as opportunities.
            if start > end { add(0, from: end, to: start) }
            end = min(start + binMilliseconds, cycleMilliseconds)
            let first = next
            while next < milliseconds.count, milliseconds[next] <= end { next += 1 }
            add(next - first, from: start, to: end)
        }
        return try RateSchedule(periods: periods, startOffsetNanoseconds: startOffsetNanoseconds)
    }
}

extension DeliveryTrace {
    /// Returns the same opportunities, beginning later in the cycle and continuing with its
    /// beginning.
    /// - Parameter place: 0 or more; taken modulo the cycle, and moved back to the opportunity at
    ///   or before it, because a cycle ends with an opportunity.
    func rotated(byMilliseconds place: Int64) throws(TraceError) -> DeliveryTrace {
        let cycle = cycleMilliseconds
        let place = place % cycle
        guard let offset = milliseconds.last(where: { $0 <= place }), offset > 0 else {
            return self
        }
        let later = milliseconds.filter { $0 > offset }.map { $0 - offset }
        let earlier = milliseconds.filter { $0 <= offset }.map { $0 + cycle - offset }
        return try DeliveryTrace(milliseconds: later + earlier)
    }
}
