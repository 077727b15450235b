/// The clock of one link at flow level: how many bytes the link has carried by now, and when it had
/// carried those that a driver has read.
///
/// The clock counts capacity instead of time. The schedule's C(t) is what the link can carry until
/// t; `spent` is the part of it that has been used or has gone by. Bytes are due once C(now) exceeds
/// `spent` by their cost, and reading them spends that cost, so late ticks and odd sizes lose
/// nothing. A link that idles keeps the credit that its driver allows.
///
/// All sums are exact: nanobits (10^-9 bit) in 128 bits, and the fraction of a nanobit that headers
/// leave over. Times are nanoseconds of one clock of the caller's; a pure value that never reads it.
public struct FlowClock: Sendable {
    public let schedule: RateSchedule
    /// Time on the schedule's axis less time of the caller's clock.
    private let shift: Int64
    private let creditNanoseconds: Int64
    /// Nanobits of wire that a byte of payload costs, times `payload`.
    private let byteCost: Int128
    private let payload = Int128(TCPSegment.payloadBytes)
    /// Nanobits of the schedule's capacity.
    private var spent: Int128
    /// What `spent` leaves out, in units of 1/`payload` nanobit; less than `payload`.
    private var rest: Int128 = 0

    /// The most bytes that are said to be due at once.
    private static let dueLimit = 1_000_000_000_000_000

    /// - Parameters:
    ///   - overheadBytes: bytes that each full segment costs besides its payload.
    ///   - shift: time on the schedule's axis less time of the caller's clock, nanoseconds.
    ///   - creditNanoseconds: the longest idle time that the link makes up for.
    ///   - now: when the link begins to carry.
    public init(
        _ schedule: RateSchedule, overheadBytes: Int = TCPSegment.headerBytes, shift: Int64 = 0,
        creditNanoseconds: Int64 = 0, now: Int64
    ) {
        self.schedule = schedule
        self.shift = shift
        self.creditNanoseconds = creditNanoseconds
        let overhead = Int128(TCPSegment(overheadBytes: overheadBytes).overheadBytes)
        byteCost = 8_000_000_000 * (payload + overhead)
        spent = 0
        spent = schedule.capacity(at: instant(of: now))
    }

    /// The time on the schedule's axis at a time of the caller's clock.
    public func instant(of now: Int64) -> Int64 {
        let (sum, isOverflow) = now.addingReportingOverflow(shift)
        return isOverflow ? (shift > 0 ? .max : .min) : sum
    }

    /// The time of the caller's clock at a time on the schedule's axis.
    private func time(of instant: Int64) -> Int64 {
        let (difference, isOverflow) = instant.subtractingReportingOverflow(shift)
        return isOverflow ? (shift < 0 ? .max : .min) : difference
    }

    /// Bytes of payload that the link has carried and nobody has spent at `now`.
    public func due(at now: Int64) -> Int {
        let open = schedule.capacity(at: instant(of: now)) - spent
        guard open > 0 else { return 0 }
        let (scaled, isOverflow) = open.multipliedReportingOverflow(by: payload)
        guard !isOverflow, scaled > rest else { return isOverflow ? Self.dueLimit : 0 }
        return Int(min((scaled - rest) / byteCost, Int128(Self.dueLimit)))
    }

    /// The first time at which `bytes` of payload are due; `Int64.max` is never.
    public func time(toReceive bytes: Int) -> Int64 {
        let target = spent + (cost(of: bytes) + payload - 1) / payload
        guard target > 0 else { return time(of: 0) }
        return schedule.firstInstant(withCapacity: target).map(time(of:)) ?? .max
    }

    /// `bytes` of payload have been read.
    public mutating func spend(_ bytes: Int) {
        let cost = cost(of: bytes)
        spent += cost / payload
        rest = cost % payload
    }

    /// Nothing waits to be read at `now`: what the link could have carried by then has gone by, but
    /// for the credit.
    /// - Parameter keepsCredit: false where nothing was there to be carried until now.
    public mutating func idle(at now: Int64, keepsCredit: Bool = true) {
        let (start, isOverflow) = now.subtractingReportingOverflow(
            keepsCredit ? creditNanoseconds : 0)
        let passed = schedule.capacity(at: instant(of: isOverflow ? .min : start))
        guard passed > spent else { return }
        spent = passed
        rest = 0
    }

    /// When the link had carried everything that was spent, rounded down; `Int64.max` is never.
    public var spentTime: Int64 { timeCarried(spent, rest) }

    /// When the link will have carried the first of the bytes to be spent next, rounded down;
    /// `Int64.max` is never.
    public var nextByteTime: Int64 {
        let cost = cost(of: 1)
        return timeCarried(spent + cost / payload, cost % payload)
    }

    /// The cost of `bytes` with what is left over of those before, times `payload`.
    private func cost(of bytes: Int) -> Int128 { Int128(max(0, bytes)) * byteCost + rest }

    /// When `whole` nanobits and a fraction have passed, rounded down.
    private func timeCarried(_ whole: Int128, _ fraction: Int128) -> Int64 {
        let target = fraction > 0 ? whole + 1 : whole
        guard target > 0 else { return time(of: 0) }
        guard let instant = schedule.firstInstant(withCapacity: target) else { return .max }
        let isExact = fraction == 0 && schedule.capacity(at: instant) == whole
        return time(of: isExact ? instant : instant - 1)
    }
}
