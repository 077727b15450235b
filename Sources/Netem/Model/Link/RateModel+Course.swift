import SimulationKernel

extension LinkSpec {
    /// The same link from a later place in its course on.
    /// - Parameter nanoseconds: 0 or more.
    /// - Throws: `RateScheduleError` beyond the largest offset.
    public func beginning(at nanoseconds: Int64) throws -> LinkSpec {
        var link = self
        link.rate = try rate.beginning(at: nanoseconds)
        return link
    }
}

extension RateModel {
    /// nil where unlimited.
    public var averageBitsPerSecond: Double? {
        switch self {
        case .unlimited: nil
        case .constant(let rate), .tokenBucket(let rate, _): Double(rate.bitsPerSecond)
        case .schedule(let schedule): schedule.averageBitsPerSecond
        case .trace(let trace, _): trace.averageBitsPerSecond
        }
    }

    /// After which it repeats; 0 where it never changes.
    public var cycleNanoseconds: Int64 {
        switch self {
        case .unlimited, .constant, .tokenBucket: 0
        case .schedule(let schedule):
            schedule.periods.count > 1 && schedule.wraps ? schedule.cycleNanoseconds : 0
        case .trace(let trace, _): trace.cycleMilliseconds * 1_000_000
        }
    }

    /// The same course from a later place on; rates without a course stay as they are.
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
    /// This is the trace for packet-level use.
    public var rateModel: RateModel {
        switch self {
        case .schedule(let schedule): .schedule(schedule)
        case .delivery(let trace): .trace(trace)
        }
    }
}
