/// Delay distribution per rendition and hop, as a percentile spectrum.
public struct DelayRow: CSVRow, Equatable {
    public var runID: String = ""
    public var stream: String = ""
    public var rendition: String = ""
    public var vantage: String = ""
    public var hop: String = ""
    public var playProtocol: String = ""
    public var correction: String = ""
    public var percentile: Double?
    public var delayMilliseconds: Double?
    public var count: Int?
    public var negativeCount: Int?

    public init() {}

    public static let fileName = "delay.csv"
    public static let about = "Delay distribution per rendition and hop, as a percentile spectrum."
    public static let columns: [CSVColumn<DelayRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("stream", \.stream, "Stream name."),
        .init("rendition", \.rendition, "Rendition name."),
        .init("vantage", \.vantage, "viewer, wire or server (what the server says itself)."),
        .init(
            "hop", \.hop,
            "Which part of the way: end-to-end; ingest (publisher to server), encoder (source into the server to rendition into the server), relay (into the server to out of it), delivery (out of the server to the probe), packager (from the intended time until the HLS segment or part with the frame could be asked for: ingest and encoder in it)."
        ),
        .init(
            "protocol", \.playProtocol,
            "rtmp, http-flv, hls, rtmp-push (targets of a relay), or all."),
        .init("correction", \.correction, "corrected (from the intended time) or uncorrected."),
        .init("percentile", \.percentile, unit: "%", "Percentile, 0 to 100."),
        .init("delay_ms", \.delayMilliseconds, unit: "ms", "Delay at the percentile."),
        .init("count", \.count, unit: "frames", "Frames in the whole distribution."),
        .init(
            "negative_count", \.negativeCount, unit: "frames",
            "Frames with a delay below zero (a clock disagreement), in no percentile."),
    ]
}
