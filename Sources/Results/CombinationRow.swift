/// One row per ladder and setting that a ladder search scored.
public struct CombinationRow: CSVRow, Equatable {
    public var runID: String = ""
    public var ladder: String = ""
    public var rungs: Int?
    public var algorithm: String = ""
    public var maximumBufferSeconds: Double?
    public var deviceCaps: String = ""
    public var objective: Double?
    public var cores: Double?
    public var egressKilobits: Double?
    public var stallRatio: Double?
    public var meanBitrateKilobits: Double?
    public var switchesPerMinute: Double?
    public var allowed: Int?
    public var pareto: Int?

    public init() {}

    public static let fileName = "combinations.csv"
    public static let about = "One row per ladder and setting that a ladder search scored."
    public static let columns: [CSVColumn<CombinationRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("ladder", \.ladder, "Bit rates (kbit/s) and heights, lowest first: 264@240 878@360."),
        .init("rungs", \.rungs, "Renditions in the ladder."),
        .init("algorithm", \.algorithm, "Adaptation algorithm."),
        .init("max_buffer_s", \.maximumBufferSeconds, unit: "s", "Maximum buffer of the players."),
        .init("device_caps", \.deviceCaps, "fitted: nothing taller than the screen; none."),
        .init("objective", \.objective, "Statistic of QoE per segment over the search's viewers."),
        .init("cpu_cores", \.cores, unit: "cores", "Of all encoders of the ladder."),
        .init("egress_kbps", \.egressKilobits, unit: "kbit/s", "Mean per viewer."),
        .init("stall_ratio", \.stallRatio, "Stalled share of the time viewers wanted to watch."),
        .init(
            "mean_bitrate_kbps", \.meanBitrateKilobits, unit: "kbit/s",
            "Mean nominal bit rate of the segments played."),
        .init("switches_per_min", \.switchesPerMinute, unit: "/min", "Changes of rendition."),
        .init("allowed", \.allowed, "1 = within the limits."),
        .init(
            "pareto", \.pareto,
            "1 = nothing else has more QoE without more CPU or more egress."),
    ]
}
