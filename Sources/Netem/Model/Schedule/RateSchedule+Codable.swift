extension RateSchedule: Codable {
    private enum CodingKeys: String, CodingKey {
        case periods, startOffsetNanoseconds, wraps
    }

    /// - Throws: `RateScheduleError` if the periods are not a valid schedule.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            periods: values.decode([Period].self, forKey: .periods),
            startOffsetNanoseconds: values.decode(Int64.self, forKey: .startOffsetNanoseconds),
            wraps: values.decode(Bool.self, forKey: .wraps))
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(periods, forKey: .periods)
        try values.encode(startOffsetNanoseconds, forKey: .startOffsetNanoseconds)
        try values.encode(wraps, forKey: .wraps)
    }
}

extension RateSchedule {
    /// Returns the schedule with each period changed by `change`.
    /// - Parameter startOffsetNanoseconds: position of time 0 in the cycle; nil = the present
    ///   position.
    /// - Throws: `RateScheduleError` if the changed periods are not a valid schedule.
    public func changingPeriods(
        startOffsetNanoseconds: Int64? = nil, _ change: (inout Period) -> Void
    ) throws(RateScheduleError) -> RateSchedule {
        var periods = periods
        for i in periods.indices { change(&periods[i]) }
        return try RateSchedule(
            periods: periods,
            startOffsetNanoseconds: startOffsetNanoseconds ?? self.startOffsetNanoseconds,
            wraps: wraps)
    }

    /// Returns the same rates and losses, without latency.
    public func withoutDelays() throws(RateScheduleError) -> RateSchedule {
        try changingPeriods { $0.delayNanoseconds = 0 }
    }
}
