import SimulationKernel

extension LinkSpec {
    /// Returns the same link, beginning at a later time of its rate.
    /// - Parameter nanoseconds: 0 or more.
    /// - Throws: `RateScheduleError` if the offset exceeds the largest one.
    public func beginning(at nanoseconds: Int64) throws -> LinkSpec {
        var link = self
        link.rate = try rate.beginning(at: nanoseconds)
        return link
    }
}

extension RateModel {
    /// Average rate; nil if it is unlimited.
    public var averageBitsPerSecond: Double? {
        switch self {
        case .unlimited: nil
        case .constant(let rate), .tokenBucket(let rate, _): Double(rate.bitsPerSecond)
        case .schedule(let schedule): schedule.averageBitsPerSecond
        case .trace(let trace, _): trace.averageBitsPerSecond
        }
    }

    /// Time after which the rate repeats; 0 if it never changes or never repeats.
    public var cycleNanoseconds: Int64 {
        switch self {
        case .unlimited, .constant, .tokenBucket: 0
        case .schedule(let schedule):
            schedule.periods.count > 1 && schedule.wraps ? schedule.cycleNanoseconds : 0
        case .trace(let trace, _): trace.cycleMilliseconds * 1_000_000
        }
    }

    /// Returns the same rate model, beginning at a later time; rates that do not change with time
    /// stay as they are.
    /// - Parameter nanoseconds: 0 or more.
    func beginning(at nanoseconds: Int64) throws -> RateModel {
        switch self {
        case .unlimited, .constant, .tokenBucket: return self
        case .schedule(let schedule):
            return .schedule(
                try RateSchedule(
                    periods: schedule.periods,
                    startOffsetNanoseconds: schedule.startOffsetNanoseconds + nanoseconds,
                    wraps: schedule.wraps))
        case .trace(let trace, let start):
            return .trace(
                try trace.rotated(byMilliseconds: nanoseconds / 1_000_000),
                startOffsetNanoseconds: start)
        }
    }
}

extension LinkTrace {
    /// The trace as a rate model for packet-level use.
    public var rateModel: RateModel {
        switch self {
        case .schedule(let schedule): .schedule(schedule)
        case .delivery(let trace): .trace(trace)
        }
    }
}
