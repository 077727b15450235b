/// The clock of one link at flow level. It determines how many bytes the link has carried until now
/// and at what time the link had carried the bytes that a driver has read.
///
/// The clock counts capacity instead of time. The schedule's C(t) is the capacity of the link until
/// t; `spent` is the part of the capacity that was used or has passed unused. Bytes are due once
/// C(now) exceeds `spent` by their cost. Reading them spends that cost, so late ticks and odd sizes
/// lose nothing. An idle link keeps the credit that its driver allows.
///
/// All sums are exact: nanobits (10^-9 bit) in 128 bits, and the remaining fraction of a nanobit
/// that headers cause. Times are nanoseconds of one clock, which the caller reads.
public struct FlowClock: Sendable {
    /// Rate of the link over time.
    public let schedule: RateSchedule
    /// Time on the schedule's axis minus time of the caller's clock, in nanoseconds.
    private let shift: Int64
    private let creditNanoseconds: Int64
    /// Cost of a byte of payload in nanobits on the link, times `payload`.
    private let byteCost: Int128
    private let payload = Int128(TCPSegment.payloadBytes)
    /// Capacity of the schedule that was spent, in nanobits.
    private var spent: Int128
    /// Fraction that `spent` leaves out, in units of 1/`payload` nanobit; less than `payload`.
    private var rest: Int128 = 0

    /// Largest number of bytes that are reported as due at once.
    private static let dueLimit = 1_000_000_000_000_000

    /// - Parameters:
    ///   - overheadBytes: Bytes that each full segment costs besides its payload.
    ///   - shift: Time on the schedule's axis minus time of the caller's clock, in nanoseconds.
    ///   - creditNanoseconds: Longest idle time whose capacity the link may still use afterwards.
    ///   - now: Time at which the link begins to carry bytes.
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

    /// Returns the time on the schedule's axis at a time of the caller's clock.
    public func instant(of now: Int64) -> Int64 {
        let (sum, isOverflow) = now.addingReportingOverflow(shift)
        return isOverflow ? (shift > 0 ? .max : .min) : sum
    }

    /// Returns the time of the caller's clock at a time on the schedule's axis.
    private func time(of instant: Int64) -> Int64 {
        let (difference, isOverflow) = instant.subtractingReportingOverflow(shift)
        return isOverflow ? (shift < 0 ? .max : .min) : difference
    }

    /// Returns the number of payload bytes that the link has carried until `now` and that were not
    /// spent.
    public func due(at now: Int64) -> Int {
        let open = schedule.capacity(at: instant(of: now)) - spent
        guard open > 0 else { return 0 }
        let (scaled, isOverflow) = open.multipliedReportingOverflow(by: payload)
        guard !isOverflow, scaled > rest else { return isOverflow ? Self.dueLimit : 0 }
        return Int(min((scaled - rest) / byteCost, Int128(Self.dueLimit)))
    }

    /// Returns the first time at which `bytes` payload bytes are due; `Int64.max` means never.
    public func time(toReceive bytes: Int) -> Int64 {
        let target = spent + (cost(of: bytes) + payload - 1) / payload
        guard target > 0 else { return time(of: 0) }
        return schedule.firstInstant(withCapacity: target).map(time(of:)) ?? .max
    }

    /// Notes that `bytes` payload bytes have been read.
    public mutating func spend(_ bytes: Int) {
        let cost = cost(of: bytes)
        spent += cost / payload
        rest = cost % payload
    }

    /// Notes that nothing waits to be read at `now`: the unused capacity up to `now` is lost,
    /// except for the credit.
    /// - Parameter keepsCredit: False if the link had nothing to carry until now.
    public mutating func idle(at now: Int64, keepsCredit: Bool = true) {
        let (start, isOverflow) = now.subtractingReportingOverflow(
            keepsCredit ? creditNanoseconds : 0)
        let passed = schedule.capacity(at: instant(of: isOverflow ? .min : start))
        guard passed > spent else { return }
        spent = passed
        rest = 0
    }

    /// Time at which the link had carried everything that was spent, rounded down; `Int64.max`
    /// means never.
    public var spentTime: Int64 { timeCarried(spent, rest) }

    /// Time at which the link will have carried the first of the bytes to be spent next, rounded
    /// down; `Int64.max` means never.
    public var nextByteTime: Int64 {
        let cost = cost(of: 1)
        return timeCarried(spent + cost / payload, cost % payload)
    }

    /// Returns the cost of `bytes`, with the remaining fraction of the earlier bytes, times
    /// `payload`.
    private func cost(of bytes: Int) -> Int128 { Int128(max(0, bytes)) * byteCost + rest }

    /// Returns the time at which `whole` nanobits and a fraction have passed, rounded down.
    private func timeCarried(_ whole: Int128, _ fraction: Int128) -> Int64 {
        let target = fraction > 0 ? whole + 1 : whole
        guard target > 0 else { return time(of: 0) }
        guard let instant = schedule.firstInstant(withCapacity: target) else { return .max }
        let isExact = fraction == 0 && schedule.capacity(at: instant) == whole
        return time(of: isExact ? instant : instant - 1)
    }
}
