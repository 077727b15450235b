package import Server
package import SimulationKernel
package import Sockets

/// The server under test.
package struct StackSettings: ScenarioMapping, Codable, Hashable {
    package enum Driver: String, Codable, Sendable, CaseIterable {
        case embedded
        case nginxRTMP = "nginx-rtmp"
        /// Any server that a command line starts.
        case command
        case srs
        case external
        /// The floor sender, in the place of a server: it shows the generators' own limits.
        case floor
    }

    package var driver = Driver.embedded
    /// Event loops or worker processes.
    package var threads = 1
    /// Threads of the embedded stack that write to receivers, beside one event loop; nil = the
    /// event loops write.
    package var senders: SenderModel?
    /// Memory of what the embedded stack sends; nil = its default, which is `shared`.
    package var buffers: BufferModel?
    package var gopCache = 1
    /// Time for which messages wait, to leave in one write; 0 sends each message at once, nil = as
    /// the load of the server is.
    package var flushInterval: Duration?
    package var queueLimitBytes = 4 << 20
    package var outChunkSize = 4096
    package var url: String?
    package var httpURL: String?
    package var keys: [String] = []
    /// HLS settings of a stack that the run starts; nil = no HLS.
    package var hls: HLSSettings?
    package var hlsURL: String?
    package var edges: EdgeSettings?
    /// Maximum rate at which the embedded stack's HTTP port sends, over all connections together;
    /// nil = no limit.
    package var uplink: Bitrate?
    package var restarts = 0
    package var tls: TLSTrust?
    /// Start of a server that the run does not know, or of SRS.
    package var start = ServerStart()
    /// Processes or statistics of an external server.
    package var accounting = ServerAccounting()

    package init() {}
    package static let fields: [Field<StackSettings>] =
        own + ServerStart.fields.map { Field($0, of: \.start) }
        + ServerAccounting.fields.map { Field($0, of: \.accounting) }

    private static let own: [Field<StackSettings>] = [
        .standard("driver", \.driver, .choice, "Which server."),
        .standard(
            "threads", \.threadSetting, .threads,
            "Event loops or worker processes, or per-session or per-stream: one event loop, and a "
                + "thread that sends to each receiver or to each stream's (embedded only)."),
        .optional(
            "buffers", \.buffers, .choice,
            "Memory of what is sent, embedded only: shared by all receivers, or a copy for each."),
        .standard("gop_cache", \.gopCache, .integer(0...2), "Groups of pictures sent to a joiner."),
        .optional(
            "flush_interval", \.flushInterval, .duration(zero: true),
            "Time for which messages wait, to leave in one write; without it, audio alone waits, "
                + "40 ms at the most and only under load."
        ),
        .standard(
            "queue_limit", \.queueLimitBytes, .byteCount,
            "Bytes queued for a subscriber before frames are dropped."),
        .standard(
            "out_chunk_size", \.outChunkSize, .byteCount, in: "B",
            "RTMP chunk size the server sends with."),
        .optional(
            "url", \.url, .text(.url(["rtmp", "rtmps"])),
            "rtmp://host:port/app (or rtmps://) of an external server; of driver: command with "
                + "placeholders, default rtmp://127.0.0.1:{rtmp_port}/live."),
        .optional(
            "http_url", \.httpURL, .text(.url(["http", "https"])),
            "Base URL of HTTP-FLV, of drivers external and command."),
        .standard(
            "keys", \.keys, .list(.text(.streamName), minimum: 0), "Keys that may publish."),
        .optional(
            "hls", \.hls, .mapping,
            "HLS of embedded, nginx-rtmp or srs; with its defaults where viewers play it."),
        .optional(
            "hls_url", \.hlsURL, .text(.url(["http", "https"])),
            "Multivariant playlists of drivers external and command: http://host/{stream}/master.m3u8."
        ),
        .optional(
            "tls", \.tls, .mapping, "Whom generators trust with https and rtmps, external only."),
        .optional("edges", \.edges, .mapping, "HLS caches before the embedded stack."),
        .optional(
            "uplink", \.uplink, .bitrate(),
            "What the embedded stack's HTTP may send, all viewers together; root only."),
        .standard(
            "restarts", \.restarts, .integer(0...100),
            "How often an embedded server that ends is started again; then its end fails the run."),
    ]
}

extension StackSettings {
    /// The value of the key `threads`.
    package enum ThreadSetting: Sendable, Hashable {
        case count(Int)
        case senders(SenderModel)
    }

    package var threadSetting: ThreadSetting {
        get {
            if let senders { return .senders(senders) }
            return .count(threads)
        }
        set {
            switch newValue {
            case .count(let count): (threads, senders) = (count, nil)
            case .senders(let model): (threads, senders) = (1, model)
            }
        }
    }
}

extension ValueKind where Value == StackSettings.ThreadSetting {
    /// A number of threads, or the name of a model.
    static var threads: Self {
        either(
            ValueKind<Int>.integer(1...256).map(
                { .count($0) },
                back: { if case .count(let count) = $0 { count } else { nil } }),
            .named(
                SenderModel.allCases.map {
                    ($0.rawValue, StackSettings.ThreadSetting.senders($0))
                }))
    }
}

extension TLSTrust: ScenarioMapping {
    package init() { self.init(authorities: nil) }

    package static let fields: [Field<TLSTrust>] = [
        .optional(
            "ca", \.authorities, .text(.nonEmpty),
            "PEM file of the authorities to trust, instead of the system's."),
        .standard("verify", \.verifies, .boolean, "Whether certificates are verified at all."),
    ]
}

/// How the stack packages HLS.
package struct HLSSettings: ScenarioMapping, Codable, Hashable {
    package enum Container: String, Codable, Sendable, CaseIterable { case ts, fmp4 }

    package var container = Container.fmp4
    package var segment = Duration.seconds(2)
    /// Duration of a part; nil = no low latency.
    package var part: Duration?
    package var window = Duration.seconds(60)

    package init() {}

    /// Settings of a stack for which the scenario gives none; nil = the stack packages nothing.
    init?(standardOf driver: StackSettings.Driver) {
        switch driver {
        case .embedded: break
        case .nginxRTMP, .srs: container = .ts
        case .external, .command, .floor: return nil
        }
    }

    package static let fields: [Field<HLSSettings>] = [
        .standard(
            "container", \.container, .choice,
            "What segments are; nginx-rtmp and srs have ts only, their default without 'hls'."),
        .standard(
            "segment", \.segment, .duration(), "A segment ends at the first key frame after it."),
        .optional("part", \.part, .duration(), "Parts of this length: low-latency HLS."),
        .standard("window", \.window, .duration(), in: "s", "What a playlist lists."),
    ]
}
