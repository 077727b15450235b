/// Time series per process and thread group.
public struct ProcessRow: CSVRow, Codable, Equatable {
    public var runID: String = ""
    public var timeSeconds: Double?
    public var role: String = ""
    public var pid: Int?
    public var threads: Int?
    public var cpuPercent: Double?
    public var rssBytes: Int?
    public var voluntarySwitches: Int?
    public var involuntarySwitches: Int?
    public var runDelayMilliseconds: Double?
    public var threadGroup: String = ""
    public var cpuSeconds: Double?
    public var steady: Int?
    public var name: String = ""

    public init() {}

    public static let fileName = "processes.csv"
    public static let about = "Time series per process and thread group."
    public static let columns: [CSVColumn<ProcessRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("t_s", \.timeSeconds, unit: "s", "End of the interval, from the shared start time."),
        .init(
            "role", \.role,
            "server, edge, wan (an edge's way to the origin), encoder, publishers, viewers, probes, "
                + "sinks, api-flood, recorder, capture or links."),
        .init("pid", \.pid, "Process."),
        .init("threads", \.threads, "Threads of the process or group."),
        .init("cpu_percent", \.cpuPercent, unit: "%", "CPU in the interval; 100 = one core."),
        .init("rss_bytes", \.rssBytes, unit: "bytes", "Resident memory."),
        .init(
            "voluntary_switches", \.voluntarySwitches, "Voluntary context switches in the interval."
        ),
        .init(
            "involuntary_switches", \.involuntarySwitches,
            "Involuntary context switches in the interval."),
        .init(
            "run_delay_ms", \.runDelayMilliseconds, unit: "ms",
            "Time runnable but waiting for a CPU in the interval."),
        .init("thread_group", \.threadGroup, "Thread name prefix; empty = the whole process."),
        .init("cpu_s", \.cpuSeconds, unit: "s", "CPU seconds in the interval."),
        .init("steady", \.steady, "1 = inside the steady window."),
        .init(
            "name", \.name,
            "The process: viewers-0, encoder-<stream>_<rendition>, stat (what an external server "
                + "tells itself); empty = none."),
    ]
}
