public import Processes
public import Sockets
public import SimulationKernel

/// One load test, as data: what is driven, by whom, for how long, and what must hold.
public struct Scenario: Codable, Sendable, Hashable {
    public var version: Int
    public var name: String
    public var description: String
    /// Every random draw of a run derives from it.
    public var seed: UInt64
    public var stack: StackSpec
    public var streams: [StreamSpec]
    public var viewers: [ViewerGroup]
    /// Viewers join in this time, before the steady window.
    public var warmup: Duration
    /// The steady window: what the results cover.
    public var duration: Duration
    /// Time after the window for frames still on their way.
    public var drain: Duration
    public var congestionControl: CongestionControl
    public var capture: CaptureSpec
    public var cpus: CPUAssignment
    public var processes: ProcessCounts
    public var validity: ValidityLimits
    public var thresholds: [Threshold]
    /// The scenario with every default filled in; what `scenario.resolved.yml` holds.
    public var canonicalYAML: String

    public enum CongestionControl: String, Codable, Sendable, CaseIterable {
        case cubic, bbr, reno
    }
}

/// The server under test.
public struct StackSpec: Codable, Sendable, Hashable {
    public enum Driver: String, Codable, Sendable, CaseIterable {
        case embedded
        case nginxRTMP = "nginx-rtmp"
        case external
    }

    public var driver: Driver
    /// Event loop threads (embedded) or worker processes (nginx-rtmp).
    public var threads: Int
    /// Groups of pictures a joining viewer is sent at once, 0 to 2.
    public var gopCache: Int
    /// How long messages are gathered before a write; 0 writes each message.
    public var flushInterval: Duration
    /// Bytes queued for one subscriber before frames are dropped.
    public var queueLimitBytes: Int
    /// RTMP chunk size the server sends with, in bytes.
    public var outChunkSize: Int
    /// `rtmp://host:port/app`; external only.
    public var url: String?
    /// `http://host:port/app`, the base of the HTTP-FLV URLs; external only.
    public var httpURL: String?
    /// Stream keys that may publish; empty = any.
    public var keys: [String]
    /// HLS of a stack that the run starts; nil = none.
    public var hls: HLSSpec?
    /// Of an external server's multivariant playlists, `{stream}` stands for the stream.
    public var hlsURL: String?
    /// HLS caches before the embedded stack; nil = none.
    public var edges: EdgeSpec?
    /// What the embedded stack's HTTP port may send, all connections together; nil = no limit.
    public var uplink: Bitrate?
    /// How often a server that ends in mid-run is started again; embedded only.
    public var restarts = 0
    /// Whom generators trust with https and rtmps; external only.
    public var tls: TLSTrust?
}

extension Scenario {
    /// Settings other than their defaults that the driver cannot honour and that therefore do not
    /// hold in its runs.
    public var unsupportedSettings: [String] {
        guard let standard = Self.standardStack else { return [] }
        var settings: [(name: String, isSet: Bool)] = [
            ("gop_cache", stack.gopCache != standard.gopCache),
            ("flush_interval", stack.flushInterval != standard.flushInterval),
            ("queue_limit", stack.queueLimitBytes != standard.queueLimitBytes),
            ("keys", stack.keys != standard.keys),
        ]
        switch stack.driver {
        case .embedded: return []
        case .nginxRTMP: settings[0].name += " (joiners wait for a key frame)"
        case .external:
            settings += [
                ("threads", stack.threads != standard.threads),
                ("out_chunk_size", stack.outChunkSize != standard.outChunkSize),
                ("congestion_control (set it on the server)", congestionControl != .cubic),
            ]
        }
        return settings.filter(\.isSet).map(\.name)
    }

    /// A stack of which a scenario says nothing.
    private static let standardStack = try? Scenario.parse(
        "{version: 1, name: x, streams: [{name: x}], viewers: [{count: 1}]}"
    ).stack
}

/// How the stack packages HLS.
public struct HLSSpec: Codable, Sendable, Hashable {
    public enum Container: String, Codable, Sendable, CaseIterable { case ts, fmp4 }

    public var container: Container
    public var segment: Duration
    /// nil = no low latency.
    public var part: Duration?
    /// What a playlist lists.
    public var window: Duration
}

/// A stream, or several alike, in one or more renditions.
public struct StreamSpec: Codable, Sendable, Hashable {
    /// `{i}` stands for the stream's number, counted from 1.
    public var name: String
    public var count: Int
    public var renditions: [RenditionSpec]
    /// nil = the renditions are published as they are; else they are made from the ladder's source.
    public var ladder: EncodedLadder?

    /// The names of the `count` streams.
    public var names: [String] {
        (1...max(1, count)).map { i in
            name.contains("{i}")
                ? name.replacing("{i}", with: "\(i)") : count == 1 ? name : "\(name)\(i)"
        }
    }
}

/// One encoding of a stream; its stream key is `<stream>_<rendition>`.
public struct RenditionSpec: Codable, Sendable, Hashable {
    public var name: String
    public var source: SourceSpec
}

/// Where media comes from.
public enum SourceSpec: Codable, Sendable, Hashable {
    case synthetic(SyntheticSource)
    /// Path of a media file that is looped.
    case file(String)
    /// Made once by ffmpeg's own generators.
    case ffmpeg(ClipSource)

    /// nil for a file, which is not looked into.
    var framesPerSecond: Int? {
        switch self {
        case .synthetic(let source): source.framesPerSecond
        case .ffmpeg(let clip): clip.framesPerSecond
        case .file: nil
        }
    }
}

/// A generated picture and tone.
public struct SyntheticSource: Codable, Sendable, Hashable {
    /// Pixels.
    public var width: Int
    public var height: Int
    /// Frames per second.
    public var framesPerSecond: Int
    /// Distance of key frames.
    public var gop: Duration
    /// Audio and video message payload together.
    public var bitrate: Bitrate
    /// 0 = no audio.
    public var audioBitrate: Bitrate
}

/// Where captured packets come from and how much of them is kept.
public struct CaptureSpec: Codable, Sendable, Hashable {
    public enum Mode: String, Codable, Sendable, CaseIterable {
        /// Capture where permitted, else go on without and say so.
        case auto
        case on = "true"
        case off = "false"
    }

    public var mode: Mode
    public var interface: String
    /// Subscriber connections captured with whole payloads.
    public var fullPayloadPortsLimit: Int
    /// Share of subscriber connections captured at all, 0…1.
    public var sample: Double
    /// Bytes of the kernel's ring.
    public var ringBytes: Int
    /// Whether the packets themselves are kept in the results directory.
    public var keepPcap: Bool
}

/// CPUs by role; nil = wherever the kernel puts it.
public struct CPUAssignment: Codable, Sendable, Hashable {
    public var server: CPUSet?
    /// Of the stack's encoders; nil = the server's.
    public var encoders: CPUSet?
    public var publishers: CPUSet?
    public var viewers: CPUSet?
    public var probes: CPUSet?
    public var capture: CPUSet?
    /// The packet shell.
    public var links: CPUSet?
    public var edges: CPUSet?
}

/// Child processes by role.
public struct ProcessCounts: Codable, Sendable, Hashable {
    public var publishers: Int
    public var viewers: Int
    public var probes: Int
}

/// Limits that a trial must keep to be a verdict on the server; beyond them it is void.
public struct ValidityLimits: Codable, Sendable, Hashable {
    /// 99th percentile of how late the publishers and probes were for their own schedule.
    public var generatorLagP99: Duration
    /// 99th percentile of how late the load viewers' loops came to their own ticks.
    public var viewerLagP99: Duration
    /// Share of packets the capture lost, 0…1.
    public var captureDrops: Double
    /// Share of CPU time the hypervisor took, 0…1.
    public var steal: Double
    /// Least share of the intended frames that was offered, 0…1.
    public var offered: Double
    /// Largest move of the offset between the monotonic clock and real time.
    public var clockStep: Duration
    /// 99th percentile of how late packet links released their packets.
    public var linkLatenessP99: Duration
}
