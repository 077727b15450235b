/// What a trace file holds.
public enum LinkTrace: Sendable, Hashable {
    case schedule(RateSchedule)
    case delivery(DeliveryTrace)

    /// For flow-level use; opportunities are averaged over 100 ms.
    /// - Parameter startOffsetNanoseconds: where in the trace time 0 lies, 0 or more.
    public func rateSchedule(
        startOffsetNanoseconds: Int64 = 0
    ) throws(RateScheduleError) -> RateSchedule {
        switch self {
        case .schedule(let schedule):
            try RateSchedule(
                periods: schedule.periods, startOffsetNanoseconds: startOffsetNanoseconds,
                wraps: schedule.wraps)
        case .delivery(let trace):
            try trace.rateSchedule(startOffsetNanoseconds: startOffsetNanoseconds)
        }
    }

    public var averageBitsPerSecond: Double {
        switch self {
        case .schedule(let schedule): schedule.averageBitsPerSecond
        case .delivery(let trace): trace.averageBitsPerSecond
        }
    }
}

public enum TraceFormat: String, Sendable, Hashable, CaseIterable {
    /// One millisecond timestamp a line: an opportunity of 1504 bytes.
    case mahimahi
    /// `[{"duration_ms": 1000, "bandwidth_kbps": 335, "latency_ms": 29}, …]`, as Sabre reads;
    /// the latency is a round trip.
    case sabre
    /// Seconds and Mbit/s a line, between tab or spaces: the rate of the time up to then, since the
    /// line before; the first line only tells where the trace begins. As Pensieve's simulator reads.
    case pensieve
    /// A header `t,kbps[,delay_ms][,loss]`: `t` in seconds, from which on the rate holds; the last
    /// line holds as long as the line before it. `loss` from 0 to 1, or with a percent sign.
    case csv
}
