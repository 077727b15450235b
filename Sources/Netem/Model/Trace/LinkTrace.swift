/// Contents of a trace file.
public enum LinkTrace: Sendable, Hashable {
    case schedule(RateSchedule)
    case delivery(DeliveryTrace)

    /// Returns the rates for flow-level use; opportunities are averaged over 100 ms.
    /// - Parameter startOffsetNanoseconds: position of time 0 in the trace, 0 or more.
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
    /// One timestamp in milliseconds per line, which is an opportunity of 1504 bytes.
    case mahimahi
    /// `[{"duration_ms": 1000, "bandwidth_kbps": 335, "latency_ms": 29}, …]`, as Sabre reads;
    /// the latency is a round trip.
    case sabre
    /// Seconds and Mbit/s per line, separated by a tab or spaces, in the format of Pensieve's
    /// simulator. The rate is that of the time since the previous line; the first line only states
    /// the trace's start.
    case pensieve
    /// A header `t,kbps[,delay_ms][,loss]`. The rate holds from `t`, in seconds; the last line
    /// holds as long as the previous line. `loss` is from 0 to 1, or has a percent sign.
    case csv
}
