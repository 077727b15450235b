import SimulationKernel

/// Computes when packets have been sent: one packet at a time, at the times of the rate model.
struct RateServer: Sendable {
    private enum Kind: Sendable { case unlimited, constant, schedule, trace, tokenBucket }

    private let kind: Kind
    /// Rate of the constant model and of the bucket, in bits per second.
    private let rate: Int64
    /// Size of the bucket in nanobits.
    private let burst: Int64
    private let schedule: RateSchedule?
    private let trace: DeliveryTrace?
    private let offset: Int64

    /// For the constant rate, the lateness in nanobits of the last packet's end, because the end is
    /// rounded up to whole nanoseconds.
    private var carry: Int64 = 0
    /// For the schedule, the capacity in nanobits that was used up to the end of the last packet.
    private var target: Int128 = 0
    /// For the bucket, the nanobits in it at `filled`; a negative number is a debt.
    private var tokens: Int64
    private var filled: Int64 = 0
    /// For the trace, the index of the next opportunity, its time, and its remaining bytes.
    private var opportunity = 0
    private var cycles: Int64 = 0
    /// End of the last packet, if the link has not been idle since.
    private var busyUntil = Int64.min

    init(_ model: RateModel) {
        var rate: Int64 = 0
        var burst: Int64 = 0
        var offset: Int64 = 0
        var schedule: RateSchedule?
        var trace: DeliveryTrace?
        switch model {
        case .unlimited: kind = .unlimited
        case .constant(let bitrate):
            kind = .constant
            rate = Int64(bitrate.bitsPerSecond)
        case .schedule(let periods):
            kind = .schedule
            schedule = periods
        case .trace(let opportunities, let start):
            kind = .trace
            trace = opportunities
            offset = start
        case .tokenBucket(let bitrate, let bytes):
            kind = .tokenBucket
            rate = Int64(bitrate.bitsPerSecond)
            burst = Int64(bytes) * 8_000_000_000
        }
        self.rate = rate
        self.burst = burst
        self.offset = offset
        self.schedule = schedule
        self.trace = trace
        tokens = burst
    }

    var isUnlimited: Bool { kind == .unlimited }
    var isTrace: Bool { kind == .trace }

    /// Returns the latency of the rate model itself.
    func delay(at instant: Int64) -> Int64 {
        kind == .schedule ? schedule!.period(at: instant).delayNanoseconds : 0
    }

    func loss(at instant: Int64) -> Double {
        kind == .schedule ? schedule!.period(at: instant).loss : 0
    }

    /// Returns the time at which a packet of `cost` bytes that starts at `start` has been sent;
    /// `Int64.max` means never. A packet that starts at the end of the previous one continues at
    /// that packet's exact end.
    mutating func finish(_ cost: Int32, start: Int64) -> Int64 {
        let nanobits = Int64(cost) * 8_000_000_000
        switch kind {
        case .unlimited, .trace: return start
        case .constant:
            guard rate > 0 else { return .max }
            if start != busyUntil { carry = 0 }
            let (quotient, rest) = (nanobits - carry).quotientAndRemainder(dividingBy: rate)
            let whole = rest > 0 ? quotient + 1 : quotient
            carry = rest > 0 ? rate - rest : -rest
            busyUntil = start + whole
            return busyUntil
        case .schedule:
            guard let schedule else { return .max }
            if start != busyUntil { target = schedule.capacity(at: start) }
            target += Int128(nanobits)
            busyUntil = schedule.firstInstant(withCapacity: target) ?? .max
            return busyUntil
        case .tokenBucket: return spend(nanobits, at: start)
        }
    }

    private mutating func spend(_ nanobits: Int64, at start: Int64) -> Int64 {
        let (gained, overflow) = (start - filled).multipliedReportingOverflow(by: rate)
        tokens = overflow || gained >= burst - tokens ? burst : tokens + gained
        filled = start
        let missing = min(nanobits, burst) - tokens
        if missing > 0 {
            let wait = (missing + rate - 1) / rate
            tokens += wait * rate
            filled += wait
        }
        tokens -= nanobits
        return filled
    }

    /// Time of the next opportunity of the trace.
    var nextOpportunity: Int64 {
        guard let trace else { return .max }
        return offset
            + (cycles * trace.cycleMilliseconds + trace.milliseconds[opportunity]) * 1_000_000
    }

    mutating func skipOpportunity() {
        guard let trace else { return }
        opportunity += 1
        if opportunity == trace.milliseconds.count {
            opportunity = 0
            cycles += 1
        }
    }

    /// Skips the opportunities at or before `instant`, because nothing waits.
    mutating func skipOpportunities(until instant: Int64) {
        guard let trace, nextOpportunity <= instant else { return }
        skipOpportunity()
        guard nextOpportunity <= instant else { return }
        let milliseconds = (instant - offset) / 1_000_000
        cycles = milliseconds / trace.cycleMilliseconds
        let position = milliseconds % trace.cycleMilliseconds
        // This finds the first opportunity after `position`; the last opportunity always is after
        // it.
        var low = 0
        var high = trace.milliseconds.count - 1
        while low < high {
            let middle = (low + high) / 2
            if trace.milliseconds[middle] > position { high = middle } else { low = middle + 1 }
        }
        opportunity = low
    }
}
