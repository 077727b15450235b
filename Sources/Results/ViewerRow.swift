/// One row per viewer.
public struct ViewerRow: CSVRow, Equatable {
    public var runID: String = ""
    public var viewer: Int?
    public var group: Int?
    public var playProtocol: String = ""
    public var stream: String = ""
    public var rendition: String = ""
    public var link: String = ""
    public var probe: Int?
    public var joinSeconds: Double?
    public var startupDelaySeconds: Double?
    public var playBytes: Int?
    public var meanKilobits: Double?
    public var framesReceived: Int?
    public var framesMissing: Int?
    public var stalls: Int?
    public var stalledSeconds: Double?
    public var stallRatio: Double?
    public var localPort: Int?
    public var error: String = ""
    public var playSeconds: Double?

    public init() {}

    public static let fileName = "viewers.csv"
    public static let about = "One row per viewer; under churn, per session."
    public static let columns: [CSVColumn<ViewerRow>] = [
        .init("run_id", \.runID, "Run."),
        .init(
            "viewer", \.viewer,
            "Viewer index in the plan; a viewer's later sessions add 1,000,000 each."),
        .init("group", \.group, "Viewer group, from 0."),
        .init("protocol", \.playProtocol, "rtmp or http-flv."),
        .init("stream", \.stream, "Stream name."),
        .init("rendition", \.rendition, "Rendition name."),
        .init("link", \.link, "Rate limit of the viewer's link; empty = none."),
        .init("probe", \.probe, "1 = probe, 0 = load viewer."),
        .init(
            "join_s", \.joinSeconds, unit: "s", "Connection attempt, from the shared start time."),
        .init(
            "startup_delay_s", \.startupDelaySeconds, unit: "s",
            "From the attempt to the first audio or video message."),
        .init("play_bytes", \.playBytes, unit: "bytes", "Message payload received in the window."),
        .init(
            "mean_kbps", \.meanKilobits, unit: "kbit/s",
            "Mean payload rate while it played in the window."),
        .init(
            "frames_received", \.framesReceived, unit: "frames", "Frames received in the window."),
        .init("frames_missing", \.framesMissing, unit: "frames", "Frames missed in the window."),
        .init("stalls", \.stalls, "Interruptions of the play-out buffer."),
        .init("stalled_s", \.stalledSeconds, unit: "s", "Time in interruptions."),
        .init("stall_ratio", \.stallRatio, "Stalled time over session time."),
        .init("local_port", \.localPort, "TCP port of the viewer's end."),
        .init("error", \.error, "Why it failed; empty = it did not."),
        .init(
            "play_s", \.playSeconds, unit: "s",
            "Time in the window from its first media until it left."),
    ]
}
