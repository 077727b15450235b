package import Processes
package import Sockets
package import SimulationKernel

/// One load test, as data: what is driven, by whom, for how long, and what must hold.
package struct TrialScenario: Codable, Sendable, Hashable {
    package var version: Int
    package var name: String
    package var description: String
    /// Every random draw of a run derives from it.
    package var seed: UInt64
    package var stack: StackSpec
    package var streams: [StreamSpec]
    package var viewers: [ViewerGroup]
    /// Viewers join in this time, before the steady window.
    package var warmup: Duration
    /// The steady window: what the results cover.
    package var duration: Duration
    /// Time after the window for frames still on their way.
    package var drain: Duration
    package var congestionControl: CongestionControl
    package var capture: CaptureSpec
    package var cpus: CPUAssignment
    package var processes: ProcessCounts
    package var validity: ValidityLimits
    package var thresholds: [Threshold]
    /// The scenario with every default filled in; what `scenario.resolved.yml` holds.
    package var canonicalYAML: String

    package enum CongestionControl: String, Codable, Sendable, CaseIterable {
        case cubic, bbr, reno
    }
}

/// The server under test.
package struct StackSpec: Codable, Sendable, Hashable {
    package enum Driver: String, Codable, Sendable, CaseIterable {
        case embedded
        case nginxRTMP = "nginx-rtmp"
        case external
    }

    package var driver: Driver
    /// Event loop threads (embedded) or worker processes (nginx-rtmp).
    package var threads: Int
    /// Groups of pictures a joining viewer is sent at once, 0 to 2.
    package var gopCache: Int
    /// How long messages are gathered before a write; 0 writes each message.
    package var flushInterval: Duration
    /// Bytes queued for one subscriber before frames are dropped.
    package var queueLimitBytes: Int
    /// RTMP chunk size the server sends with, in bytes.
    package var outChunkSize: Int
    /// `rtmp://host:port/app`; external only.
    package var url: String?
    /// `http://host:port/app`, the base of the HTTP-FLV URLs; external only.
    package var httpURL: String?
    /// Stream keys that may publish; empty = any.
    package var keys: [String]
    /// HLS of a stack that the run starts; nil = none.
    package var hls: HLSSpec?
    /// Of an external server's multivariant playlists, `{stream}` stands for the stream.
    package var hlsURL: String?
    /// HLS caches before the embedded stack; nil = none.
    package var edges: EdgeSpec?
    /// What the embedded stack's HTTP port may send, all connections together; nil = no limit.
    package var uplink: Bitrate?
    /// How often a server that ends in mid-run is started again; embedded only.
    package var restarts = 0
    /// Whom generators trust with https and rtmps; external only.
    package var tls: TLSTrust?
}

extension TrialScenario {
    /// Settings other than their defaults that the driver cannot honour and that therefore do not
    /// hold in its runs.
    package var unsupportedSettings: [String] {
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
    private static let standardStack = try? TrialScenario.parse(
        "{version: 1, name: x, streams: [{name: x}], viewers: [{count: 1}]}"
    ).stack
}

/// How the stack packages HLS.
package struct HLSSpec: Codable, Sendable, Hashable {
    package enum Container: String, Codable, Sendable, CaseIterable { case ts, fmp4 }

    package var container: Container
    package var segment: Duration
    /// nil = no low latency.
    package var part: Duration?
    /// What a playlist lists.
    package var window: Duration
}

/// A stream, or several alike, in one or more renditions.
package struct StreamSpec: Codable, Sendable, Hashable {
    /// `{i}` stands for the stream's number, counted from 1.
    package var name: String
    package var count: Int
    package var renditions: [RenditionSpec]
    /// nil = the renditions are published as they are; else they are made from the ladder's source.
    package var ladder: EncodedLadder?

    /// The names of the `count` streams.
    package var names: [String] {
        (1...max(1, count)).map { i in
            name.contains("{i}")
                ? name.replacing("{i}", with: "\(i)") : count == 1 ? name : "\(name)\(i)"
        }
    }
}

/// One encoding of a stream; its stream key is `<stream>_<rendition>`.
package struct RenditionSpec: Codable, Sendable, Hashable {
    package var name: String
    package var source: StreamSource
}

/// Where media comes from.
package enum StreamSource: Codable, Sendable, Hashable {
    case synthetic(GeneratedSource)
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
package struct GeneratedSource: Codable, Sendable, Hashable {
    /// Pixels.
    package var width: Int
    package var height: Int
    /// Frames per second.
    package var framesPerSecond: Int
    /// Distance of key frames.
    package var gop: Duration
    /// Audio and video message payload together.
    package var bitrate: Bitrate
    /// 0 = no audio.
    package var audioBitrate: Bitrate
}

/// Where captured packets come from and how much of them is kept.
package struct CaptureSpec: Codable, Sendable, Hashable {
    package enum Mode: String, Codable, Sendable, CaseIterable {
        /// Capture where permitted, else go on without and say so.
        case auto
        case on = "true"
        case off = "false"
    }

    package var mode: Mode
    package var interface: String
    /// Subscriber connections captured with whole payloads.
    package var fullPayloadPortsLimit: Int
    /// Share of subscriber connections captured at all, 0…1.
    package var sample: Double
    /// Bytes of the kernel's ring.
    package var ringBytes: Int
    /// Whether the packets themselves are kept in the results directory.
    package var keepPcap: Bool
}

/// CPUs by role; nil = wherever the kernel puts it.
package struct CPUAssignment: Codable, Sendable, Hashable {
    package var server: CPUSet?
    /// Of the stack's encoders; nil = the server's.
    package var encoders: CPUSet?
    package var publishers: CPUSet?
    package var viewers: CPUSet?
    package var probes: CPUSet?
    package var capture: CPUSet?
    /// The packet shell.
    package var links: CPUSet?
    package var edges: CPUSet?
}

/// Child processes by role.
package struct ProcessCounts: Codable, Sendable, Hashable {
    package var publishers: Int
    package var viewers: Int
    package var probes: Int
}

/// Limits that a trial must keep to be a verdict on the server; beyond them it is void.
package struct ValidityLimits: Codable, Sendable, Hashable {
    /// 99th percentile of how late the publishers and probes were for their own schedule.
    package var generatorLagP99: Duration
    /// 99th percentile of how late the load viewers' loops came to their own ticks.
    package var viewerLagP99: Duration
    /// Share of packets the capture lost, 0…1.
    package var captureDrops: Double
    /// Share of CPU time the hypervisor took, 0…1.
    package var steal: Double
    /// Least share of the intended frames that was offered, 0…1.
    package var offered: Double
    /// Largest move of the offset between the monotonic clock and real time.
    package var clockStep: Duration
    /// 99th percentile of how late packet links released their packets.
    package var linkLatenessP99: Duration
}
