public import SimulationKernel

/// The capacity of a link over time, C(t): periods of constant rate, one after another.
///
/// Times are nanoseconds on the schedule's own axis, which begins at 0; earlier instants count as
/// 0. A schedule either repeats (`wraps`) or holds its last period for ever. Sums are kept in
/// nanobits (10^-9 bit, that is bit/s × ns) of 128 bits, so that nothing drifts, however long a run
/// lasts.
public struct RateSchedule: Sendable, Hashable {
    public struct Period: Sendable, Hashable, Codable {
        /// Duration, more than 0.
        public var durationNanoseconds: Int64
        /// Rate; 0 is an outage.
        public var bitsPerSecond: Int64
        /// One-way latency, 0 or more.
        public var delayNanoseconds: Int64
        /// Probability of losing a packet, 0 to 1.
        public var loss: Double

        public init(
            durationNanoseconds: Int64, bitsPerSecond: Int64, delayNanoseconds: Int64 = 0,
            loss: Double = 0
        ) {
            self.durationNanoseconds = durationNanoseconds
            self.bitsPerSecond = bitsPerSecond
            self.delayNanoseconds = delayNanoseconds
            self.loss = loss
        }
    }

    /// The longest cycle and the largest start offset, nanoseconds.
    static let longestNanoseconds: Int64 = 1 << 62
    /// End of the axis of a `Cursor` in seconds.
    static let latestSeconds = 0x1p63 / 1e9

    /// The periods of one cycle, at least one.
    public let periods: [Period]
    /// Position of time 0 in the cycle, nanoseconds; less than the cycle if the schedule wraps.
    public let startOffsetNanoseconds: Int64
    /// Whether the cycle repeats; otherwise its last period lasts for ever.
    public let wraps: Bool
    /// Length of one cycle, nanoseconds.
    public let cycleNanoseconds: Int64

    /// Start of each period in the cycle and, last, the cycle's end; nanoseconds.
    let starts: [Int64]
    /// Nanobits that pass before each period and, last, in the whole cycle.
    let sums: [Int128]
    /// The same values in seconds and bits, for `Cursor`.
    let segments: [Segment]
    /// Whether the cycle really repeats; false if one period lasts for ever, whatever `wraps` is.
    let repeats: Bool
    let cycleSeconds: Double
    let startOffsetSeconds: Double

    struct Segment: Sendable {
        /// Start in the cycle.
        var startSeconds: Double
        var endSeconds: Double
        var bitsPerSecond: Double
        /// Bits that pass in the cycle before this period, and up to its end.
        var bitsBefore: Double
        var bitsAfter: Double
        var delaySeconds: Double
        var loss: Double
    }

    /// Makes a schedule with one rate for ever.
    /// - Parameters:
    ///   - rate: at rate 0 nothing passes.
    ///   - delayNanoseconds: one-way latency, 0 or more.
    public init(constant rate: Bitrate, delayNanoseconds: Int64 = 0) {
        precondition(delayNanoseconds >= 0, "a delay is not negative")
        let period = Period(
            durationNanoseconds: 1_000_000_000, bitsPerSecond: Int64(rate.bitsPerSecond),
            delayNanoseconds: delayNanoseconds)
        self.init(checked: [period], startOffset: 0, wraps: false)
    }

    /// - Parameters:
    ///   - periods: at least one; each lasts more than 0 ns, and no rate or delay is negative.
    ///   - startOffsetNanoseconds: position of time 0 in the cycle, modulo the cycle if the
    ///     schedule wraps.
    ///   - wraps: whether the cycle repeats; otherwise the last period lasts for ever.
    public init(
        periods: [Period], startOffsetNanoseconds: Int64 = 0, wraps: Bool = true
    ) throws(RateScheduleError) {
        try Self.check(periods, startOffset: startOffsetNanoseconds, wraps: wraps)
        self.init(checked: periods, startOffset: startOffsetNanoseconds, wraps: wraps)
    }

    private init(checked periods: [Period], startOffset: Int64, wraps: Bool) {
        var starts: [Int64] = [0]
        var sums: [Int128] = [0]
        starts.reserveCapacity(periods.count + 1)
        sums.reserveCapacity(periods.count + 1)
        for (i, period) in periods.enumerated() {
            starts.append(starts[i] + period.durationNanoseconds)
            sums.append(sums[i] + Int128(period.bitsPerSecond) * Int128(period.durationNanoseconds))
        }
        segments = periods.enumerated().map { i, period in
            Segment(
                startSeconds: Double(starts[i]) / 1e9, endSeconds: Double(starts[i + 1]) / 1e9,
                bitsPerSecond: Double(period.bitsPerSecond), bitsBefore: Double(sums[i]) / 1e9,
                bitsAfter: Double(sums[i + 1]) / 1e9,
                delaySeconds: Double(period.delayNanoseconds) / 1e9, loss: period.loss)
        }
        self.periods = periods
        self.starts = starts
        self.sums = sums
        self.wraps = wraps
        repeats = wraps && periods.count > 1
        cycleNanoseconds = starts[periods.count]
        startOffsetNanoseconds = wraps ? startOffset % starts[periods.count] : startOffset
        cycleSeconds = Double(cycleNanoseconds) / 1e9
        startOffsetSeconds = Double(startOffsetNanoseconds) / 1e9
    }

    private static func check(
        _ periods: [Period], startOffset: Int64, wraps: Bool
    ) throws(RateScheduleError) {
        guard !periods.isEmpty else {
            throw RateScheduleError(
                .empty, "the schedule has no period; it needs at least one with a rate")
        }
        guard (0...longestNanoseconds).contains(startOffset) else {
            throw RateScheduleError(
                .negativeOffset, "the start offset is \(startOffset) ns; it takes 0 or more")
        }
        var total: Int64 = 0
        for (i, period) in periods.enumerated() {
            try check(period, at: i)
            guard period.durationNanoseconds <= longestNanoseconds - total else {
                throw RateScheduleError(
                    .tooLong, period: i,
                    "the schedule lasts more than 146 years; are the times in another unit?")
            }
            total += period.durationNanoseconds
        }
        guard !wraps || periods.contains(where: { $0.bitsPerSecond > 0 }) else {
            throw RateScheduleError(
                .allZero,
                "every rate is 0, so that nothing ever passes; give at least one period a rate")
        }
    }

    private static func check(_ period: Period, at i: Int) throws(RateScheduleError) {
        guard period.durationNanoseconds > 0 else {
            throw RateScheduleError(
                .nonPositiveDuration, period: i,
                "it lasts \(period.durationNanoseconds) ns; it takes more than 0")
        }
        guard period.bitsPerSecond >= 0 else {
            throw RateScheduleError(
                .negativeRate, period: i,
                "its rate is \(period.bitsPerSecond) bit/s; it takes 0 (an outage) or more")
        }
        guard (0...longestNanoseconds).contains(period.delayNanoseconds) else {
            throw RateScheduleError(
                .negativeDelay, period: i,
                "its delay is \(period.delayNanoseconds) ns; it takes 0 or more")
        }
        guard (0...1).contains(period.loss) else {
            throw RateScheduleError(
                .lossOutOfRange, period: i,
                "its loss is \(period.loss); it takes a probability from 0 to 1")
        }
    }

    /// Mean rate over one cycle, or the last period's rate if that period lasts for ever.
    public var averageBitsPerSecond: Double {
        wraps
            ? Double(sums[periods.count]) / Double(cycleNanoseconds)
            : Double(periods[periods.count - 1].bitsPerSecond)
    }

    /// Returns the period in force at `instant`, nanoseconds.
    public func period(at instant: Int64) -> Period { periods[locate(instant).index] }

    public static func == (a: Self, b: Self) -> Bool {
        a.periods == b.periods && a.wraps == b.wraps
            && a.startOffsetNanoseconds == b.startOffsetNanoseconds
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(periods)
        hasher.combine(wraps)
        hasher.combine(startOffsetNanoseconds)
    }
}
