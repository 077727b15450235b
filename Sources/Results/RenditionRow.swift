/// One row per rendition, vantage point and protocol, over the steady window.
public struct RenditionRow: CSVRow, Equatable {
    public var runID: String = ""
    public var stream: String = ""
    public var rendition: String = ""
    public var vantage: String = ""
    public var playProtocol: String = ""
    public var viewers: Int?
    public var wireKilobits: Double?
    public var payloadKilobits: Double?
    public var delayP50Milliseconds: Double?
    public var delayP90Milliseconds: Double?
    public var delayP99Milliseconds: Double?
    public var framesExpected: Int?
    public var framesReceived: Int?
    public var retransmittedBytes: Int?
    public var cpuSecondsPerMediaSecond: Double?
    public var delayMeanMilliseconds: Double?
    public var delayMaxMilliseconds: Double?
    public var delayUncorrectedP99Milliseconds: Double?
    public var framesDuplicate: Int?
    public var nominalKilobits: Double?
    public var payloadBytes: Int?
    public var viewerShare: Double?
    public var encoderDelayP50Milliseconds: Double?
    public var encoderDelayP99Milliseconds: Double?
    public var stampsExpected: Int?
    public var stampsFound: Int?
    public var wireBytes: Int?
    public var muxOverhead: Double?
    public var playlistWireBytes: Int?
    public var ingestDelayP50Milliseconds: Double?
    public var packagerDelayP50Milliseconds: Double?
    public var packagerDelayP99Milliseconds: Double?
    public var ssim: Double?
    public var psnrDecibels: Double?
    public var qualityFrames: Int?

    public init() {}

    public static let fileName = "renditions.csv"
    public static let about =
        "One row per rendition, vantage point and protocol, over the steady window."
    public static let columns: [CSVColumn<RenditionRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("stream", \.stream, "Stream name."),
        .init("rendition", \.rendition, "Rendition name."),
        .init(
            "vantage", \.vantage,
            "viewer (application), wire (packet capture at the server), or edge (at the edges)."),
        .init(
            "protocol", \.playProtocol,
            "rtmp, http-flv, hls, or all (what comes from an encoder that nobody plays)."),
        .init("viewers", \.viewers, "Viewers the row covers; under churn, sessions."),
        .init(
            "wire_kbps", \.wireKilobits, unit: "kbit/s",
            "Downstream L2 bytes of one copy, retransmissions in, pure acknowledgements out. HLS: of segments and parts asked for in the window that came whole, wherever their packets fall, per second of media in them; so are payload_kbps and mux_overhead at the wire and the edges."
        ),
        .init(
            "payload_kbps", \.payloadKilobits, unit: "kbit/s",
            "Audio and video message payload of one copy: all bytes over all viewers' time. HLS: HTTP headers and bodies, each byte once."
        ),
        .init(
            "delay_p50_ms", \.delayP50Milliseconds, unit: "ms",
            "Median delay: from the intended time (viewer), through the server (wire). HLS: until the read that brought the frame's last byte to the probe, playlist reloads and fetching in it."
        ),
        .init("delay_p90_ms", \.delayP90Milliseconds, unit: "ms", "90th percentile delay."),
        .init("delay_p99_ms", \.delayP99Milliseconds, unit: "ms", "99th percentile delay."),
        .init(
            "frames_expected", \.framesExpected, unit: "frames",
            "Frames due to the probes in the window; HLS: frames that the segments fetched should hold, by their numbers."
        ),
        .init(
            "frames_received", \.framesReceived, unit: "frames", "Of those, frames that arrived."),
        .init(
            "retransmitted_bytes", \.retransmittedBytes, unit: "bytes",
            "TCP payload sent more than once."),
        .init(
            "cpu_s_per_media_s", \.cpuSecondsPerMediaSecond, unit: "s/s",
            "Encoder CPU time per second of media; empty where none ran."),
        .init("delay_mean_ms", \.delayMeanMilliseconds, unit: "ms", "Mean delay."),
        .init("delay_max_ms", \.delayMaxMilliseconds, unit: "ms", "Largest delay."),
        .init(
            "delay_uncorrected_p99_ms", \.delayUncorrectedP99Milliseconds, unit: "ms",
            "99th percentile delay from the actual send time."),
        .init(
            "frames_duplicate", \.framesDuplicate, unit: "frames",
            "Frames that arrived more than once."),
        .init(
            "nominal_kbps", \.nominalKilobits, unit: "kbit/s",
            "Bit rate the source was configured with."),
        .init(
            "payload_bytes", \.payloadBytes, unit: "bytes",
            "Payload bytes of all viewers in the window. HLS viewers: bodies of segments and parts that they asked for in it and read whole."
        ),
        .init(
            "viewer_share", \.viewerShare,
            "Share of the adaptive viewers' segments that were of this rendition, 0 to 1."),
        .init(
            "encoder_delay_p50_ms", \.encoderDelayP50Milliseconds, unit: "ms",
            "Median delay through the encoder: source frame into the server to the rendition's."),
        .init(
            "encoder_delay_p99_ms", \.encoderDelayP99Milliseconds, unit: "ms",
            "99th percentile delay through the encoder."),
        .init(
            "stamps_expected", \.stampsExpected, unit: "frames",
            "Source frames of the window that the rendition's frame rate keeps."),
        .init(
            "stamps_found", \.stampsFound, unit: "frames",
            "Of those, frames that came back from the encoder with their stamp."),
        .init(
            "wire_bytes", \.wireBytes, unit: "bytes",
            "HLS: L2 bytes of segments, parts and initialization sections in the window."),
        .init(
            "mux_overhead", \.muxOverhead,
            "HLS: payload_kbps over the RTMP message payload per second of media into the server in the window, less 1; without retransmissions and what was not fetched whole."
        ),
        .init(
            "playlist_wire_bytes", \.playlistWireBytes, unit: "bytes",
            "HLS: L2 bytes of playlists and whatever else of the rendition is no media."),
        .init(
            "ingest_delay_p50_ms", \.ingestDelayP50Milliseconds, unit: "ms",
            "HLS: median delay from the intended time to the (source's) frame's last byte into the server, by the capture."
        ),
        .init(
            "packager_delay_p50_ms", \.packagerDelayP50Milliseconds, unit: "ms",
            "HLS: median delay from the intended time until the segment or part with the frame could be asked for, by the server's clock; of what probes fetched, ingest and encoder in it; empty where the server does not say."
        ),
        .init(
            "packager_delay_p99_ms", \.packagerDelayP99Milliseconds, unit: "ms",
            "The same, 99th percentile."),
        .init(
            "ssim", \.ssim,
            "Mean SSIM (ffmpeg's All) of quality_frames against the source's with the same stamps, scaled bicubically to the source's size; 1 = alike; empty where not asked for or not comparable."
        ),
        .init(
            "psnr_db", \.psnrDecibels, unit: "dB",
            "PSNR (ffmpeg's average) of the same frames; empty also where all are alike (ssim is 1), for it is infinite."
        ),
        .init(
            "quality_frames", \.qualityFrames, unit: "frames",
            "The rendition's frames that were compared."),
    ]
}
