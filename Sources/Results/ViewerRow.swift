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
    public var cell: Int?
    public var algorithm: String = ""
    public var ladder: String = ""
    public var maximumBufferSeconds: Double?
    public var sessionSeconds: Double?
    public var requests: Int?
    public var abandoned: Int?
    public var wastedBytes: Int?
    public var meanBitrateKilobits: Double?
    public var switches: Int?
    public var switchedKilobits: Double?
    public var liveLatencySeconds: Double?
    public var liveLatencyMaximumSeconds: Double?
    public var skippedSeconds: Double?
    public var missingSeconds: Double?
    public var qoeLinear: Double?
    public var qoeLog: Double?
    public var qoeHD: Double?
    public var scoreSabre: Double?
    public var scoreLoLPlus: Double?
    public var modelledStalls: Int?
    public var modelledStalledSeconds: Double?
    public var linkLostPackets: Int?
    public var linkDroppedPackets: Int?
    public var failedRequests: Int?
    public var mediaEpochSeconds: Double?
    public var segmentDurationSeconds: Double?
    public var targetLatencySeconds: Double?
    public var reloadIntervalSeconds: Double?
    public var playlistBytes: Int?
    public var headBytes: Int?
    public var initializationBytes: Int?
    public var playerStartSeconds: Double?
    public var failovers: Int?

    public init() {}

    public static let fileName = "viewers.csv"
    public static let about = "One row per viewer; under churn, per session."
    public static let columns: [CSVColumn<ViewerRow>] = [
        .init("run_id", \.runID, "Run."),
        .init(
            "viewer", \.viewer,
            "Viewer index in the plan, or in the cell of a simulation; a viewer's later sessions add 1,000,000 each."
        ),
        .init("group", \.group, "Viewer group, from 0."),
        .init(
            "protocol", \.playProtocol,
            "rtmp, http-flv or hls; rtmp-push = a target of a relay, sim = simulated."),
        .init("stream", \.stream, "Stream name."),
        .init("rendition", \.rendition, "Rendition name."),
        .init("link", \.link, "Rate limit or trace of the viewer's link; empty = none."),
        .init("probe", \.probe, "1 = probe, 0 = load viewer."),
        .init(
            "join_s", \.joinSeconds, unit: "s", "Connection attempt, from the shared start time."),
        .init(
            "startup_delay_s", \.startupDelaySeconds, unit: "s",
            "From the attempt to the first audio or video message."),
        .init(
            "play_bytes", \.playBytes, unit: "bytes",
            "Message payload received in the window; of a simulation all media received."),
        .init(
            "mean_kbps", \.meanKilobits, unit: "kbit/s",
            "Mean payload rate while it played in the window."),
        .init(
            "frames_received", \.framesReceived, unit: "frames", "Frames received in the window."),
        .init("frames_missing", \.framesMissing, unit: "frames", "Frames missed in the window."),
        .init("stalls", \.stalls, "Interruptions of the play-out buffer."),
        .init("stalled_s", \.stalledSeconds, unit: "s", "Time in interruptions."),
        .init(
            "stall_ratio", \.stallRatio, "Stalled time over playing and stalled time together."),
        .init("local_port", \.localPort, "TCP port of the viewer's end."),
        .init("error", \.error, "Why it failed; empty = it did not."),
        .init(
            "play_s", \.playSeconds, unit: "s",
            "Time in the window from its first media until it left; of HLS viewers and simulations "
                + "the time that media played, of the whole session."),
        .init("cell", \.cell, "Cell of a simulation's matrix, from 0."),
        .init("algorithm", \.algorithm, "Adaptation algorithm; empty = one rendition."),
        .init(
            "ladder", \.ladder,
            "Title or ladder that it played; of HLS viewers its bit rates, kbit/s."),
        .init("max_buffer_s", \.maximumBufferSeconds, unit: "s", "Maximum buffer of the player."),
        .init(
            "session_s", \.sessionSeconds, unit: "s",
            "Start-up, playback, stalls and idle time together."),
        .init("requests", \.requests, "Segment requests decided."),
        .init("abandoned", \.abandoned, "Downloads given up."),
        .init("wasted_bytes", \.wastedBytes, unit: "bytes", "Received of downloads given up."),
        .init(
            "mean_bitrate_kbps", \.meanBitrateKilobits, unit: "kbit/s",
            "Mean of the nominal bit rates of the segments played."),
        .init("switches", \.switches, "Changes of rendition between segments played."),
        .init(
            "switched_kbps", \.switchedKilobits, unit: "kbit/s",
            "Sum of the changes of nominal bit rate."),
        .init(
            "live_latency_s", \.liveLatencySeconds, unit: "s",
            "Mean distance from the live edge while playing; empty for VOD."),
        .init(
            "live_latency_max_s", \.liveLatencyMaximumSeconds, unit: "s",
            "Largest distance from the live edge."),
        .init(
            "skipped_s", \.skippedSeconds, unit: "s", "Media left out by jumps to the live edge."),
        .init(
            "missing_s", \.missingSeconds, unit: "s",
            "Media that no rendition has (EXT-X-GAP), and that playing passed over."),
        .init(
            "qoe_lin", \.qoeLinear,
            "Yin/Pensieve: Mbit/s less 4.3 per second of stall and start-up less changes, per segment."
        ),
        .init("qoe_log", \.qoeLog, "The same with ln(bit rate / lowest) and 2.66, per segment."),
        .init("qoe_hd", \.qoeHD, "The same with Pensieve's HD reward and 8, per segment."),
        .init("score_sabre", \.scoreSabre, "Sabre's time average score."),
        .init("score_lol_plus", \.scoreLoLPlus, "LoL+'s measure, per segment."),
        .init(
            "modelled_stalls", \.modelledStalls,
            "Losses of a link on a socket, each a stall of a round trip."),
        .init(
            "modelled_stalled_s", \.modelledStalledSeconds, unit: "s",
            "Time that bytes waited for them."),
        .init(
            "link_lost_packets", \.linkLostPackets,
            "Packets that the loss model of a link of real packets took, both ways."),
        .init(
            "link_dropped_packets", \.linkDroppedPackets,
            "Packets that found the link's queue full, or were dropped by it."),
        .init(
            "failed_requests", \.failedRequests,
            "Requests that were refused, timed out or broke off, playlists included."),
        .init(
            "media_epoch_s", \.mediaEpochSeconds, unit: "s",
            "When the first segment that the player was told of began at the encoder, from the "
                + "shared start time; live only."),
        .init(
            "segment_duration_s", \.segmentDurationSeconds, unit: "s",
            "Media per segment, as the player had it."),
        .init(
            "target_latency_s", \.targetLatencySeconds, unit: "s",
            "Distance from the live edge that the player kept."),
        .init(
            "reload_interval_s", \.reloadIntervalSeconds, unit: "s",
            "Target duration: how often live playlists were loaded."),
        .init("playlist_bytes", \.playlistBytes, unit: "bytes", "Of the latest media playlist."),
        .init(
            "head_bytes", \.headBytes, unit: "bytes", "HTTP head of the latest segment's response."),
        .init(
            "initialization_bytes", \.initializationBytes, unit: "bytes",
            "Of the latest initialization section; empty where there is none."),
        .init(
            "player_start_s", \.playerStartSeconds, unit: "s",
            "When the first media playlist was there, from the shared start time."),
        .init(
            "failovers", \.failovers,
            "Moves to another edge after failures; HLS viewers of edges only."),
    ]
}
