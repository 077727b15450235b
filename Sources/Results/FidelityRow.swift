/// One row per group of adaptive viewers and figure: on sockets, and simulated.
public struct FidelityRow: CSVRow, Equatable {
    public var runID: String = ""
    public var group: Int?
    public var algorithm: String = ""
    public var link: String = ""
    public var sessions: Int?
    public var metric: String = ""
    public var measured: Double?
    public var simulated: Double?
    public var difference: Double?
    public var limit: Double?
    public var within: Int?

    public init() {}

    public static let fileName = "fidelity.csv"
    public static let about =
        "One row per group of adaptive viewers and figure: medians on sockets and simulated."
    public static let columns: [CSVColumn<FidelityRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("group", \.group, "Viewer group, from 0."),
        .init("algorithm", \.algorithm, "Adaptation algorithm."),
        .init("link", \.link, "Of the group's viewers."),
        .init("sessions", \.sessions, "Sessions compared."),
        .init("metric", \.metric, "mean_bitrate_kbps, stalled_s or switches."),
        .init("measured", \.measured, "Median over the sessions on sockets."),
        .init("simulated", \.simulated, "Median over the same sessions simulated."),
        .init("difference", \.difference, "Simulated less measured."),
        .init("limit", \.limit, "Largest difference that counts as agreement."),
        .init("within", \.within, "1 = the difference is no larger."),
    ]
}
