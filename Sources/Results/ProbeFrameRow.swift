/// One row per frame of a probe matched with the packet capture.
public struct ProbeFrameRow: CSVRow, Equatable {
    public var runID: String = ""
    public var viewer: Int?
    public var stream: String = ""
    public var rendition: String = ""
    public var frame: Int?
    public var viewerDelayMilliseconds: Double?
    public var relayDelayMilliseconds: Double?
    public var uncorrectedDelayMilliseconds: Double?
    public var timeSeconds: Double?

    public init() {}

    public static let fileName = "probe_frames.csv"
    public static let about = "One row per frame of a probe matched with the packet capture."
    public static let columns: [CSVColumn<ProbeFrameRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("viewer", \.viewer, "Viewer index in the plan."),
        .init("stream", \.stream, "Stream name."),
        .init("rendition", \.rendition, "Rendition name."),
        .init("frame", \.frame, "Frame number of the stamp."),
        .init(
            "viewer_delay_ms", \.viewerDelayMilliseconds, unit: "ms",
            "From the intended time to the probe."),
        .init(
            "relay_delay_ms", \.relayDelayMilliseconds, unit: "ms",
            "From the last byte into the server to the last byte out."),
        .init(
            "uncorrected_delay_ms", \.uncorrectedDelayMilliseconds, unit: "ms",
            "From the actual send time to the probe."),
        .init("t_s", \.timeSeconds, unit: "s", "Arrival, from the shared start time."),
    ]
}
