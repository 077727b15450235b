/// One row per segment request of an adaptive viewer.
public struct SegmentRow: CSVRow, Equatable {
    public var runID: String = ""
    public var cell: Int?
    public var viewer: Int?
    public var segment: Int?
    public var mediaSeconds: Double?
    public var rendition: Int?
    public var nominalKilobits: Double?
    public var requestedSeconds: Double?
    public var timeToFirstByteMilliseconds: Double?
    public var transferMilliseconds: Double?
    public var bytes: Int?
    public var bufferBeforeSeconds: Double?
    public var bufferAfterSeconds: Double?
    public var estimateKilobits: Double?
    public var abandonedFor: Int?
    public var size: Int?
    public var cut: Int?

    public init() {}

    public static let fileName = "segments.csv"
    public static let about = "One row per segment request of an adaptive viewer."
    public static let columns: [CSVColumn<SegmentRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("cell", \.cell, "Cell of a simulation's matrix, from 0."),
        .init("viewer", \.viewer, "Viewer index, as in viewers.csv."),
        .init(
            "segment", \.segment,
            "Number of the segment: of the title, from 0; runs: media sequence number in the "
                + "rendition's playlist."),
        .init("rung", \.rendition, "Rendition of the ladder, 0 the lowest."),
        .init(
            "nominal_kbps", \.nominalKilobits, unit: "kbit/s", "Nominal bit rate of the rendition."),
        .init(
            "t_s", \.requestedSeconds, unit: "s",
            "When it was requested; simulations: virtual time."),
        .init(
            "ttfb_ms", \.timeToFirstByteMilliseconds, unit: "ms",
            "From the request to the first byte; empty where the server held the request back."),
        .init(
            "transfer_ms", \.transferMilliseconds, unit: "ms",
            "From the first byte to the last, less what was spent waiting for media to be made."),
        .init(
            "bytes", \.bytes, unit: "bytes",
            "Received; of a download that was abandoned or cut a part."),
        .init(
            "buffer_before_s", \.bufferBeforeSeconds, unit: "s", "Buffer level at the request."),
        .init("buffer_after_s", \.bufferAfterSeconds, unit: "s", "Buffer level at the end."),
        .init(
            "estimate_kbps", \.estimateKilobits, unit: "kbit/s",
            "Throughput estimate of the decision; empty before the first."),
        .init(
            "abandoned_for", \.abandonedFor, "Rendition it was given up for; empty = it was not."),
        .init(
            "media_s", \.mediaSeconds, unit: "s",
            "When the segment began at the encoder; renditions agree on it. Runs only."),
        .init(
            "size", \.size, unit: "bytes",
            "Of the whole segment; empty where the server did not say. Runs only."),
        .init(
            "cut", \.cut,
            "1 = it was under way when the viewer left or the run ended, 0 = it was not. Runs only."
        ),
    ]
}
