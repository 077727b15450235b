import Netem
import Server

/// The scenario language, version 1: every key, what it may hold and its default.
enum ScenarioSpec {
    static let maximumViewers = 100_000

    static let root = ObjectSpec(fields: [
        .required("version", .constant(1), "Version of the scenario language."),
        .required("name", .text(.name), "Short name, part of reports."),
        .standard("description", .text(.any), "\"\"", "What the scenario shows."),
        .standard("seed", .integer(0...Int(Int32.max)), "1", "Seed of every random draw."),
        .standard("stack", .object(stack), "{}", "The server under test."),
        .required("streams", .list(.object(stream), minimum: 1), "What is published."),
        .required("viewers", .list(.object(viewers), minimum: 1), "Who watches."),
        .standard("warmup", duration(), "5s", "Time for viewers to join, before the window."),
        .standard("duration", duration(), "20s", "The steady window, which results cover."),
        .standard("drain", duration(zero: true), "2s", "Time for the last frames to arrive."),
        .standard(
            "congestion_control", .choice(["cubic", "bbr", "reno"]), "cubic",
            "TCP congestion control of every socket."),
        .standard("capture", .object(capture), "{}", "Packet capture."),
        .standard("cpus", .object(cpus), "{}", "CPUs each role is pinned to."),
        .standard("processes", .object(processes), "{}", "Child processes of each role."),
        .standard("validity", .object(validity), "{}", "Limits beyond which a trial is void."),
        .standard(
            "thresholds", .map(.list(.text(Threshold.rule), minimum: 1)), "{}",
            "What must hold: metric{tag:value} to a list of expressions such as p(99)<200. "
                + "delay_ms without a vantage is the viewers'."),
    ])

    private static func duration(zero: Bool = false) -> ValueSpec {
        .quantity(.duration, allowsZero: zero)
    }

    static let stack = ObjectSpec(fields: [
        .standard(
            "driver", .choice(StackSpec.Driver.allCases.map(\.rawValue)), "embedded",
            "Which server."),
        .standard("threads", .integer(1...256), "1", "Event loops or worker processes."),
        .standard("gop_cache", .integer(0...2), "1", "Groups of pictures sent to a joiner."),
        .standard("flush_interval", duration(zero: true), "0s", "Gathering time before a write."),
        .standard(
            "queue_limit", .quantity(.byteCount, allowsZero: false), "4MiB",
            "Bytes queued for a subscriber before frames are dropped."),
        .standard(
            "out_chunk_size", .quantity(.byteCount, allowsZero: false), "4096B",
            "RTMP chunk size the server sends with."),
        .optional(
            "url", .text(.url(["rtmp", "rtmps"])),
            "rtmp://host:port/app (or rtmps://) of an external server."),
        .optional(
            "http_url", .text(.url(["http", "https"])), "Base URL of HTTP-FLV, external only."),
        .standard("keys", .list(.text(.streamName), minimum: 0), "[]", "Keys that may publish."),
        .optional(
            "hls", .object(hls),
            "HLS of the embedded stack or nginx-rtmp; with its defaults where viewers play it."),
        .optional(
            "hls_url", .text(.url(["http", "https"])),
            "Multivariant playlists, external only: http://host/{stream}/master.m3u8."),
        .optional(
            "tls", .object(tls), "Whom generators trust with https and rtmps, external only."),
        .optional("edges", .object(edges), "HLS caches before the embedded stack."),
        .optional(
            "uplink", .quantity(.bitrate, allowsZero: false),
            "What the embedded stack's HTTP may send, all viewers together; root only."),
        .standard(
            "restarts", .integer(0...100), "0",
            "How often an embedded server that ends is started again; then its end fails the run."),
    ])

    static let tls = ObjectSpec(fields: [
        .optional(
            "ca", .text(.nonEmpty),
            "PEM file of the authorities to trust, instead of the system's."),
        .standard(
            "verify", .boolean, "true", "Whether certificates are verified at all."),
    ])

    static let hls = ObjectSpec(fields: [
        .standard(
            "container", .choice(["ts", "fmp4"]), "fmp4",
            "What segments are; nginx-rtmp has ts only, which is its default without 'hls'."),
        .standard("segment", duration(), "2s", "A segment ends at the first key frame after it."),
        .optional("part", duration(), "Parts of this length: low-latency HLS."),
        .standard("window", duration(), "60s", "What a playlist lists."),
    ])

    static let stream = ObjectSpec(
        fields: [
            .required("name", .text(.streamName), "Stream name; {i} is the stream's number."),
            .standard("count", .integer(1...1000), "1", "How many such streams."),
            .standard(
                "renditions",
                .either([.choice(["edge-ladder"]), .list(.object(rendition), minimum: 1)]),
                "edge-ladder", "Published as they are: the preset edge-ladder, or a list."),
            .optional("source", .object(source), "What is published once, with 'ladder'."),
            .optional(
                "ladder", .either([.choice(["edge-ladder"]), .object(ladder)]),
                "Renditions that ffmpeg makes of the source, on a stack that the run starts."),
        ], exclusive: [["renditions", "ladder"], ["renditions", "source"]])

    static let ladder = ObjectSpec(fields: [
        .standard(
            "renditions",
            .either([.choice(["edge-ladder"]), .list(.object(encoded), minimum: 1)]),
            "edge-ladder", "The preset edge-ladder, or a list."),
        .standard(
            "preset", .choice(LadderConfiguration.x264Presets), "veryfast", "x264's preset."),
        .standard("threads", .integer(0...64), "0", "Threads of each encoder; 0 = x264's choice."),
        .standard(
            "mode", .choice(LadderConfiguration.Mode.allCases.map(\.rawValue)), "per-rendition",
            "One ffmpeg for each rendition, whose CPU time can be told apart, or a single one."),
        .standard("padding", .boolean, "false", "Filler data where pictures need less bits."),
        .standard("gop", duration(), "2s", "Distance of key frames; 200ms to 60s."),
        .optional(
            "quality", .object(quality),
            "SSIM and PSNR of each rendition against the source, by ffmpeg after the run."),
    ])

    static let quality = ObjectSpec(fields: [
        .standard(
            "frames", .integer(1...3000), "300",
            "Frames of the source, from the start of the steady window.")
    ])

    static let encoded = ObjectSpec(fields: [
        .required("name", .text(.name), "Rendition name; the key is <stream>_<rendition>."),
        .required("width", .integer(16...7680), "Picture width, pixels, even."),
        .required("height", .integer(16...4320), "Picture height, pixels, even."),
        .standard("fps", .integer(1...240), "30", "Frames per second at most."),
        .required(
            "bitrate", .quantity(.bitrate, allowsZero: false), "Audio and video payload together."),
        .standard(
            "audio_bitrate", .quantity(.bitrate, allowsZero: true), "128kbps",
            "Audio; 0kbps = none."),
    ])

    static let rendition = ObjectSpec(fields: [
        .required("name", .text(.name), "Rendition name; the key is <stream>_<rendition>."),
        .required("source", .object(source), "Where the media comes from."),
    ])

    static let source = ObjectSpec(
        fields: [
            .optional("synthetic", .object(synthetic), "A generated picture and tone."),
            .optional("file", .text(.nonEmpty), "A media file, looped."),
            .optional("ffmpeg", .object(clip), "A real picture, made once by ffmpeg and looped."),
        ], exactlyOne: ["synthetic", "file", "ffmpeg"])

    static let clip = ObjectSpec(fields: [
        .standard(
            "pattern", .choice(ClipSource.Pattern.allCases.map(\.rawValue)), "texture",
            "texture: a moving texture with noise, as busy as camera pictures."),
        .standard("size", .text(.pictureSize), "1280x720", "Width and height, pixels, even."),
        .standard("fps", .integer(1...60), "30", "Frames per second."),
        .standard(
            "bitrate", .quantity(.bitrate, allowsZero: false), "6Mbps",
            "Audio and video together, about."),
        .standard(
            "audio_bitrate", .quantity(.bitrate, allowsZero: true), "128kbps",
            "Audio; 0kbps = none."),
    ])

    static let synthetic = ObjectSpec(fields: [
        .standard("width", .integer(16...7680), "1280", "Picture width, pixels."),
        .standard("height", .integer(16...4320), "720", "Picture height, pixels."),
        .standard("fps", .integer(1...240), "30", "Frames per second."),
        .standard("gop", duration(), "2s", "Distance of key frames."),
        .required(
            "bitrate", .quantity(.bitrate, allowsZero: false), "Audio and video payload together."),
        .standard(
            "audio_bitrate", .quantity(.bitrate, allowsZero: true), "128kbps",
            "Audio; 0kbps = none."),
    ])

    static let viewers = ObjectSpec(
        fields: [
            .standard(
                "protocol", .choice(ViewerGroup.PlayProtocol.allCases.map(\.rawValue)), "rtmp",
                "How the stream is played."),
            .required("count", .integer(1...maximumViewers), "How many viewers."),
            .standard("rendition", .text(.name), "all", "A rendition's name, or all."),
            .standard("stream", .text(.streamName), "all", "A stream's name, or all."),
            .optional(
                "probes",
                .either([.integer(0...maximumViewers), .quantity(.share, allowsZero: true)]),
                "Viewers that time each frame: a share (at least one a rendition) or a count; default 5%, of HLS viewers 1."
            ),
            .optional(
                "arrival", .object(arrival), "When viewers join; default: over 60 % of warmup."),
            .standard("mode", .choice(["lazy", "prompt"]), "lazy", "How load viewers read."),
            .optional(
                "rate_limit", .quantity(.bitrate, allowsZero: false),
                "Viewers read so much at most; 'link' is the whole model."),
            .optional(
                "link", .either([.text(.nonEmpty), .object(link)]),
                "What each viewer is behind: a profile such as lte, a rate, or a trace file."),
            .optional("churn", .object(churn), "Viewers leave and are replaced."),
            .standard(
                "playout_buffer", duration(zero: true), "1s", "Media buffered before playing."),
            .optional("algorithm", .text(.nonEmpty), "Adaptation of HLS viewers; default hls-js."),
            .optional("buffer", duration(), "Media an HLS player holds at most; default 30s."),
            .optional(
                "device", .choice(DeviceProfile.allCases.map(\.rawValue)),
                "Caps the picture's height; HLS only."),
            .optional("latency", duration(), "Distance of HLS viewers from the live edge."),
            .optional("parts", .boolean, "Whether HLS viewers play parts; default true."),
            .optional("abandon", .boolean, "Whether downloads may be given up; default true."),
            .optional(
                "via", .choice(ViewerGroup.Via.allCases.map(\.rawValue)),
                "Whom HLS viewers ask; default edge where stack.edges is there."),
        ], exclusive: [["rate_limit", "link"]])

    static let link = ObjectSpec(fields: [
        .required(
            "down", .text(.nonEmpty), "A profile such as lte, a rate such as 3Mbps, or a trace."),
        .optional("delay", .text(.nonEmpty), "One way: 20ms, 20ms±5ms; instead of the profile's."),
        .optional("loss", .text(.nonEmpty), "1%, gemodel:p=1%,r=10%, …; instead of the profile's."),
        .standard(
            "shell", .choice(["socket", "packet", "kernel"]), "socket",
            "What shapes: the viewer's reads, or real packets in a namespace (root only)."),
        .optional("up", .text(.nonEmpty), "Uplink; packet shell only."),
        .optional("queue", .text(.nonEmpty), "droptail:64KB, codel, …; packet shell only."),
        .optional("reorder", .quantity(.share, allowsZero: true), "Packet shell only."),
        .optional("duplicate", .quantity(.share, allowsZero: true), "Packet shell only."),
        .optional("overhead", .integer(0...1500), "Bytes per packet; packet shell only."),
    ])

    static let arrival = ObjectSpec(
        fields: [
            .standard("model", .choice(["open", "closed"]), "open", "Load model."),
            .optional("rate", .quantity(.rate, allowsZero: false), "Mean arrivals, open model."),
            .optional("over", duration(), "Time all arrivals take, open model."),
            .standard("after", duration(zero: true), "0s", "Nobody joins before; in the warmup."),
        ], exclusive: [["rate", "over"]])

    static let churn = ObjectSpec(fields: [
        .required("mean_watch", duration(), "Mean of the exponential time a viewer stays.")
    ])

    static let capture = ObjectSpec(fields: [
        .standard(
            "enabled", .either([.boolean, .choice(["auto"])]), "auto", "Whether to capture."),
        .standard("interface", .text(.nonEmpty), "lo", "Network interface."),
        .standard(
            "full_payload_ports_limit", .integer(0...60_000), "200",
            "Subscriber connections captured with whole payloads."),
        .standard(
            "sample", .quantity(.share, allowsZero: false), "100%",
            "Share of subscriber connections captured."),
        .standard("ring", .quantity(.byteCount, allowsZero: false), "64MiB", "Kernel ring."),
        .standard("keep_pcap", .boolean, "false", "Keep the packets in the results."),
    ])

    static let cpus = ObjectSpec(
        fields: [
            "server", "encoders", "publishers", "viewers", "probes", "capture", "links", "edges",
        ].map {
            .optional(
                $0, .text(.cpuList),
                "CPUs of the \($0), such as \"0-1,3\"."
                    + ($0 == "encoders" ? " Default: the server's." : ""))
        })

    static let processes = ObjectSpec(fields: [
        .standard("publishers", .integer(1...64), "1", "Publisher processes."),
        .standard("viewers", .integer(1...64), "1", "Load viewer processes."),
        .standard("probes", .integer(1...64), "1", "Probe processes."),
    ])

    static let validity = ObjectSpec(fields: [
        .standard("generator_lag_p99", duration(), "20ms", "Lateness of publishers and probes."),
        .standard("viewer_lag_p99", duration(), "100ms", "Lateness of the load viewers' loops."),
        .standard(
            "capture_drops", .quantity(.share, allowsZero: true), "0%", "Packets not captured."),
        .standard("steal", .quantity(.share, allowsZero: true), "5%", "CPU taken by the host."),
        .standard(
            "offered", .quantity(.share, allowsZero: true), "99%", "Least share of frames offered."),
        .standard("clock_step", duration(), "1ms", "Largest step of real time."),
        .standard(
            "link_lateness_p99", duration(), "5ms", "Lateness of packets that links release."),
    ])
}
