import Netem
import Processes
import SimulationKernel
import Sockets

extension TrialScenario {
    /// Builds the typed scenario from a checked tree.
    init(resolved root: ResolvedObject, thresholds: [Threshold]) {
        self.init(
            version: 1, name: root.text("name") ?? "",
            description: root.text("description") ?? "",
            seed: UInt64(root.integer("seed") ?? 1),
            stack: StackSpec(
                root.object("stack")!,
                packages: root.objects("viewers").contains { $0.text("protocol") == "hls" }),
            streams: root.objects("streams").map(StreamSpec.init),
            viewers: root.objects("viewers").map(ViewerGroup.init),
            warmup: root.duration("warmup")!, duration: root.duration("duration")!,
            drain: root.duration("drain")!,
            congestionControl: .init(rawValue: root.text("congestion_control")!)!,
            capture: CaptureSpec(root.object("capture")!),
            cpus: CPUAssignment(root.object("cpus")!),
            processes: ProcessCounts(root.object("processes")!),
            validity: ValidityLimits(root.object("validity")!),
            thresholds: thresholds, canonicalYAML: root.yaml(indent: 0))
    }
}

extension StackSpec {
    /// - Parameter packages: whether anybody plays HLS.
    init(_ object: ResolvedObject, packages: Bool) {
        let driver = Driver(rawValue: object.text("driver")!)!
        let hls = object.object("hls").map(HLSSpec.init)
        self.init(
            driver: driver,
            threads: object.integer("threads")!, gopCache: object.integer("gop_cache")!,
            flushInterval: object.duration("flush_interval")!,
            queueLimitBytes: Int(object.number("queue_limit")!),
            outChunkSize: Int(object.number("out_chunk_size")!),
            url: object.text("url"), httpURL: object.text("http_url"), keys: object.texts("keys"),
            hls: hls ?? (packages ? .standard(of: driver) : nil), hlsURL: object.text("hls_url"),
            edges: object.object("edges").map(EdgeSpec.init),
            uplink: object.number("uplink").map { Bitrate(bitsPerSecond: Int($0)) },
            restarts: object.integer("restarts")!,
            tls: object.object("tls").map {
                TLSTrust(authorities: $0.text("ca"), verifies: $0.boolean("verify")!)
            })
    }
}

extension HLSSpec {
    static let standard = HLSSpec(
        container: .fmp4, segment: .seconds(2), part: nil, window: .seconds(60))

    /// What a stack packages where nothing is said; nil = nothing.
    static func standard(of driver: StackSpec.Driver) -> HLSSpec? {
        var spec = standard
        switch driver {
        case .embedded: break
        case .nginxRTMP: spec.container = .ts
        case .external: return nil
        }
        return spec
    }

    init(_ object: ResolvedObject) {
        self.init(
            container: Container(rawValue: object.text("container")!)!,
            segment: object.duration("segment")!, part: object.duration("part"),
            window: object.duration("window")!)
    }
}

extension ViewerGroup.Adaptive {
    init(_ object: ResolvedObject) {
        self.init(
            algorithm: object.text("algorithm") ?? "hls-js",
            buffer: object.duration("buffer") ?? .seconds(30),
            maximumHeight: object.text("device").flatMap {
                DeviceProfile(rawValue: $0)?.maximumHeight
            }, latency: object.duration("latency"), usesParts: object.boolean("parts") ?? true,
            abandons: object.boolean("abandon") ?? true)
    }
}

extension StreamSpec {
    init(_ object: ResolvedObject) {
        let list = object.objects("renditions").map(RenditionSpec.init)
        self.init(
            name: object.text("name")!, count: object.integer("count")!,
            renditions: list.isEmpty ? RenditionSpec.edgeLadder : list)
        guard object["ladder"] != nil, let source = object.object("source") else { return }
        let ladder = EncodedLadder(object.object("ladder"), source: StreamSource(source))
        self.ladder = ladder
        renditions = ladder.renditions.map { .init(name: $0.name, source: ladder.source) }
    }
}

extension RenditionSpec {
    init(_ object: ResolvedObject) {
        self.init(name: object.text("name")!, source: StreamSource(object.object("source")!))
    }

    /// The preset `edge-ladder`: bit rates with audio included.
    package static let edgeLadder: [RenditionSpec] = [
        ("720p", 1280, 720, 30, 2628, 128), ("480p", 854, 480, 30, 1128, 128),
        ("360p", 640, 360, 30, 878, 128), ("240p", 426, 240, 15, 264, 64),
    ].map { name, width, height, fps, total, audio in
        RenditionSpec(
            name: name,
            source: .synthetic(
                GeneratedSource(
                    width: width, height: height, framesPerSecond: fps, gop: .seconds(2),
                    bitrate: Bitrate(kilobitsPerSecond: total),
                    audioBitrate: Bitrate(kilobitsPerSecond: audio))))
    }
}

extension StreamSource {
    init(_ object: ResolvedObject) {
        if let synthetic = object.object("synthetic") {
            self = .synthetic(GeneratedSource(synthetic))
        } else if let clip = object.object("ffmpeg") {
            self = .ffmpeg(ClipSource(clip))
        } else {
            self = .file(object.text("file") ?? "")
        }
    }
}

extension GeneratedSource {
    init(_ object: ResolvedObject) {
        self.init(
            width: object.integer("width")!, height: object.integer("height")!,
            framesPerSecond: object.integer("fps")!, gop: object.duration("gop")!,
            bitrate: Bitrate(bitsPerSecond: Int(object.number("bitrate")!)),
            audioBitrate: Bitrate(bitsPerSecond: Int(object.number("audio_bitrate")!)))
    }
}

extension ViewerGroup {
    /// Adaptive viewers are many, and what a probe among them reads costs its decoding.
    private static func probes(_ object: ResolvedObject) -> Probes {
        if let count = object.integer("probes") { return .count(count) }
        if let share = object.number("probes") { return .share(share) }
        return object.text("protocol") == "hls" ? .count(1) : .share(0.05)
    }

    init(_ object: ResolvedObject) {
        let arrival = object.object("arrival")
        self.init(
            playProtocol: PlayProtocol(rawValue: object.text("protocol")!)!,
            count: object.integer("count")!,
            rendition: object.text("rendition").flatMap { $0 == "all" ? nil : $0 },
            stream: object.text("stream").flatMap { $0 == "all" ? nil : $0 },
            probes: Self.probes(object),
            arrival: arrival?.text("model") == "closed"
                ? .closed
                : arrival?.number("rate").map { .openRate($0) }
                    ?? .openOver(arrival?.duration("over") ?? .zero),
            arrivalDelay: arrival?.duration("after") ?? .zero,
            mode: Mode(rawValue: object.text("mode")!)!,
            churn: object.object("churn").map { Churn(meanWatch: $0.duration("mean_watch")!) },
            adaptive: object.text("protocol") == "hls" ? Adaptive(object) : nil,
            playoutBuffer: object.duration("playout_buffer")!,
            via: object.text("via").flatMap(Via.init))
    }
}

extension CaptureSpec {
    init(_ object: ResolvedObject) {
        self.init(
            mode: object.boolean("enabled").map { $0 ? .on : .off } ?? .auto,
            interface: object.text("interface")!,
            fullPayloadPortsLimit: object.integer("full_payload_ports_limit")!,
            sample: object.number("sample")!, ringBytes: Int(object.number("ring")!),
            keepPcap: object.boolean("keep_pcap")!)
    }
}

extension CPUAssignment {
    init(_ object: ResolvedObject) {
        func cpus(_ role: String) -> CPUSet? { object.text(role).flatMap(CPUSet.init(list:)) }
        self.init(
            server: cpus("server"), encoders: cpus("encoders"), publishers: cpus("publishers"),
            viewers: cpus("viewers"), probes: cpus("probes"), capture: cpus("capture"),
            links: cpus("links"), edges: cpus("edges"))
    }
}

extension ProcessCounts {
    init(_ object: ResolvedObject) {
        self.init(
            publishers: object.integer("publishers")!, viewers: object.integer("viewers")!,
            probes: object.integer("probes")!)
    }
}

extension ValidityLimits {
    init(_ object: ResolvedObject) {
        self.init(
            generatorLagP99: object.duration("generator_lag_p99")!,
            viewerLagP99: object.duration("viewer_lag_p99")!,
            captureDrops: object.number("capture_drops")!, steal: object.number("steal")!,
            offered: object.number("offered")!, clockStep: object.duration("clock_step")!,
            linkLatenessP99: object.duration("link_lateness_p99")!)
    }
}
