/// One row per trial of a capacity search and goal.
public struct SearchRow: CSVRow, Equatable {
    public var runID: String = ""
    public var trial: Int?
    public var value: String = ""
    public var repetition: Int?
    public var load: Int?
    public var durationSeconds: Double?
    public var wallSeconds: Double?
    public var goal: String = ""
    public var good: Int?
    public var observed: Double?
    public var deliveredMegabits: Double?
    public var serverCPUPercent: Double?
    public var voidReason: String = ""
    public var directory: String = ""

    public init() {}

    public static let fileName = "search.csv"
    public static let about = "One row per trial of a capacity search and goal."
    public static let columns: [CSVColumn<SearchRow>] = [
        .init("run_id", \.runID, "Search."),
        .init("trial", \.trial, "Number of the trial, from 1."),
        .init("value", \.value, "Value of the swept key; empty without a sweep."),
        .init("repeat", \.repetition, "Number of the search for this value, from 1."),
        .init("load", \.load, "Value of the varied key; bit rates in bit/s."),
        .init("duration_s", \.durationSeconds, unit: "s", "Steady window of the trial."),
        .init("wall_s", \.wallSeconds, unit: "s", "Time that the whole trial took."),
        .init("goal", \.goal, "Name of the goal."),
        .init("good", \.good, "1 = the goal's thresholds held; empty = the trial is void."),
        .init(
            "observed", \.observed,
            "Figure of the first threshold that failed or, if none failed, of the first."),
        .init(
            "delivered_mbps", \.deliveredMegabits, unit: "Mbit/s",
            "Payload that all viewers received in the window."),
        .init(
            "server_cpu_percent", \.serverCPUPercent, unit: "%",
            "CPU of the server in the window; 100 = one core."),
        .init("void_reason", \.voidReason, "Why the trial is void; empty = it is a verdict."),
        .init("directory", \.directory, "Results of the trial, inside the search's directory."),
    ]
}
