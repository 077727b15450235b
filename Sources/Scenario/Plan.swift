package import Processes
import Server
package import SimulationKernel
package import Viewer

/// Who does what and when in one trial: a pure function of the scenario and its seed.
package struct Plan: Codable, Sendable, Hashable {
    package var publishers: [PublisherPlan]
    /// In join order; the index in the array is the viewer's index.
    package var viewers: [ViewerPlan]
    /// One for each group that has a link, in the order of the groups.
    package var links: [GroupLink]
    /// By group; nil for groups that do not adapt.
    package var adaptive: [ViewerGroup.Adaptive?]
    package var processes: [ProcessPlan]
    /// Whether the stack's playlists have the streams' names; nobody knows an external one's.
    package var namesRenditions: Bool
    /// Failures of a request after which a viewer goes to the next edge; 0 = never.
    package var edgeFailover: Int

    /// Links that viewers impose on their own sockets.
    package var socketLinks: [ViewerLink] { links.compactMap(\.socket) }

    package init(_ scenario: TrialScenario) {
        let streams = PublisherPlan.all(of: scenario)
        publishers = streams
        viewers = ViewerPlan.all(of: scenario)
        links = scenario.viewers.compactMap(\.link)
        adaptive = scenario.viewers.map(\.adaptive)
        namesRenditions = scenario.stack.driver != .external
        edgeFailover = scenario.stack.edges?.failover ?? 0
        processes = ProcessPlan.all(
            of: scenario, publishers: streams.indices.filter { streams[$0].isPublished },
            viewers: viewers)
    }

    /// Payload bit rate that enters the server.
    package var ingressRate: Bitrate {
        Bitrate(
            bitsPerSecond: publishers.filter(\.isPublished).reduce(0) {
                $0 + ($1.bitrate?.bitsPerSecond ?? 0)
            })
    }

    /// Whether the stack encodes any stream.
    package var hasEncoders: Bool { publishers.contains { !$0.isPublished } }

    /// Whether a capture looks for the stamps of what comes in: the first hop of a longer way.
    package var keepsIngressFrames: Bool {
        hasEncoders || viewers.contains { $0.isProbe && $0.playProtocol == .hls }
    }

    /// Payload bit rate that leaves the server and its edges once all viewers have joined, at least
    /// and at most: HLS viewers choose.
    package var egressRates: (lowest: Bitrate, highest: Bitrate) {
        let keys = Dictionary(grouping: publishers, by: \.streamKey)
        let streams = Dictionary(
            grouping: publishers.filter { !$0.isLadderSource }, by: \.stream)
        var sum = (lowest: 0, highest: 0)
        for viewer in viewers {
            let played: [PublisherPlan]
            if let player = adaptive[viewer.group] {
                played = renditions(of: viewer, player, among: streams[viewer.stream] ?? [])
            } else {
                played = keys[viewer.streamKey] ?? []
            }
            let rates = played.map { $0.bitrate?.bitsPerSecond ?? 0 }
            let limit = viewer.link.map { links[$0.link].payloadRate.bitsPerSecond } ?? .max
            sum.lowest += min(rates.min() ?? 0, limit)
            sum.highest += min(rates.max() ?? 0, limit)
        }
        return (Bitrate(bitsPerSecond: sum.lowest), Bitrate(bitsPerSecond: sum.highest))
    }

    /// The renditions that an HLS viewer may come to play.
    private func renditions(
        of viewer: ViewerPlan, _ player: ViewerGroup.Adaptive, among all: [PublisherPlan]
    ) -> [PublisherPlan] {
        if let fixed = all.first(where: { $0.rendition == viewer.rendition }) { return [fixed] }
        let allowed = all.filter { $0.height ?? 0 <= player.maximumHeight ?? .max }
        // The lowest stays, however tall it is.
        let lowest = all.min {
            $0.bitrate?.bitsPerSecond ?? 0 < $1.bitrate?.bitsPerSecond ?? 0
        }
        return allowed.isEmpty ? lowest.map { [$0] } ?? [] : allowed
    }
}

/// One stream on the server: a published rendition, the source of a ladder, or what an encoder makes
/// of one.
package struct PublisherPlan: Codable, Sendable, Hashable {
    /// What results call the source of a ladder.
    package static let sourceName = "source"

    /// `<stream>_<rendition>`; of a ladder's source the stream's name.
    package var streamKey: String
    package var stream: String
    package var rendition: String
    package var source: StreamSource
    /// Audio and video payload together; nil for a file, whose rate is not known beforehand.
    package var bitrate: Bitrate?
    package var audioBitrate: Bitrate?
    /// Identifies the stream in frame stamps; counted from 1. An encoded rendition has its source's.
    package var streamID: UInt32
    /// What an encoder of the stack makes; nil = published by a publisher of ours.
    package var encoded: EncodedRendition?
    /// Whether encoders take it; nobody is planned to watch it.
    package var isLadderSource = false
    /// Whether one ffmpeg makes all renditions of its stream.
    package var sharesEncoder = false
    /// Of a ladder whose renditions are compared with their source: frames of the source.
    package var qualityFrames: Int?

    /// Of the picture, pixels; nil for a file, which is not looked into.
    var height: Int? {
        encoded?.height ?? source.figures?.size.height
    }

    /// Whether a publisher of ours sends it.
    package var isPublished: Bool { encoded == nil }

    static func all(of scenario: TrialScenario) -> [PublisherPlan] {
        var all: [PublisherPlan] = []
        var streams: UInt32 = 0
        for stream in scenario.streams {
            for name in stream.names {
                if let ladder = stream.ladder, let source = stream.source {
                    streams += 1
                    all += encoded(name, ladder, of: source, streamID: streams)
                    continue
                }
                for rendition in stream.renditions {
                    streams += 1
                    all.append(
                        published(
                            "\(name)_\(rendition.name)", name, rendition.name, rendition.source,
                            streamID: streams))
                }
            }
        }
        return all
    }

    private static func published(
        _ key: String, _ stream: String, _ rendition: String, _ source: StreamSource,
        streamID: UInt32
    ) -> PublisherPlan {
        PublisherPlan(
            streamKey: key, stream: stream, rendition: rendition, source: source,
            bitrate: source.figures?.bitrate, audioBitrate: source.figures?.audio,
            streamID: streamID)
    }

    /// The source, and what the encoders make of it.
    private static func encoded(
        _ name: String, _ ladder: EncodedLadder, of source: StreamSource, streamID: UInt32
    ) -> [PublisherPlan] {
        var input = published(name, name, sourceName, source, streamID: streamID)
        input.isLadderSource = true
        input.qualityFrames = ladder.qualityFrames
        return [input]
            + ladder.renditions.map { rendition in
                PublisherPlan(
                    streamKey: "\(name)_\(rendition.name)", stream: name, rendition: rendition.name,
                    source: source, bitrate: rendition.bitrate,
                    audioBitrate: rendition.audioBitrate,
                    streamID: streamID, encoded: rendition, sharesEncoder: ladder.mode == .single,
                    qualityFrames: ladder.qualityFrames)
            }
    }
}

/// One simulated viewer.
package struct ViewerPlan: Codable, Sendable, Hashable {
    /// Place in the join order, from 0.
    package var index: Int
    /// Place of its group in the scenario, from 0.
    package var group: Int
    package var playProtocol: ViewerGroup.PlayProtocol
    package var streamKey: String
    package var stream: String
    package var rendition: String
    /// Connection attempt, from the shared start time.
    package var joinOffsetNanoseconds: Int64
    package var isProbe: Bool
    package var mode: ViewerGroup.Mode
    /// Its link, one of the plan's.
    package var link: LinkAssignment?
    /// How long each successive session lasts; empty = one session until the end.
    package var watchNanoseconds: [Int64]
    package var playoutBufferNanoseconds: Int64
    /// Which edge it asks, from 0; nil = the origin.
    package var edge: Int?
}

/// One child process.
package struct ProcessPlan: Codable, Sendable, Hashable {
    package enum Role: String, Codable, Sendable, CaseIterable {
        case server, publishers, viewers, probes, hls, capture, links, edge
        /// Adaptive viewers that read what they fetch: never on a loop with others.
        case hlsProbes = "hls-probes"
    }

    package var role: Role
    /// `<role>-<number>`, from 0.
    package var name: String
    package var cpus: CPUSet?
    /// Indices into the plan's publishers.
    package var publishers: [Int]
    /// Indices into the plan's viewers; of `links`, those whose packets it forwards.
    package var viewers: [Int]
    /// Whether it runs in the network namespace behind the packet shell.
    package var isBehindPackets = false

    /// Round robin over the processes of each role; a role with nothing to do has no process.
    static func all(
        of scenario: TrialScenario, publishers: [Int], viewers: [ViewerPlan]
    ) -> [ProcessPlan] {
        var result: [ProcessPlan] = []
        func spread(_ indices: [Int], _ processes: Int) -> [[Int]] {
            (0..<min(processes, indices.count)).map { part in
                stride(from: part, to: indices.count, by: processes).map { indices[$0] }
            }
        }
        func make(
            _ role: Role, _ i: Int, _ cpus: CPUSet?, publishers: [Int] = [], viewers: [Int] = []
        ) -> ProcessPlan {
            ProcessPlan(
                role: role, name: "\(role.rawValue)-\(i)", cpus: cpus, publishers: publishers,
                viewers: viewers)
        }
        /// Viewers of one process share its namespace.
        func spreadViewers(_ role: Role, _ all: [ViewerPlan], _ processes: Int, _ cpus: CPUSet?) {
            let behind = all.filter { isBehindPackets[$0.group] }.map(\.index)
            let plain = all.filter { !isBehindPackets[$0.group] }.map(\.index)
            let parts = spread(plain, processes)
            for (i, part) in parts.enumerated() {
                result.append(make(role, i, cpus, viewers: part))
            }
            for (i, part) in spread(behind, processes).enumerated() {
                var process = make(role, parts.count + i, cpus, viewers: part)
                process.isBehindPackets = true
                result.append(process)
            }
        }
        let isBehindPackets = scenario.viewers.map { $0.link?.packet != nil }
        let cpus = scenario.cpus
        let forwarded = viewers.filter { isBehindPackets[$0.group] }.map(\.index)
        if !forwarded.isEmpty { result.append(make(.links, 0, cpus.links, viewers: forwarded)) }
        if scenario.stack.driver != .external { result.append(make(.server, 0, cpus.server)) }
        for i in 0..<(scenario.stack.edges?.count ?? 0) {
            result.append(make(.edge, i, cpus.edges))
        }
        for (i, part) in spread(publishers, scenario.processes.publishers).enumerated() {
            result.append(make(.publishers, i, cpus.publishers, publishers: part))
        }
        let adaptive = viewers.filter { $0.playProtocol == .hls }
        let viewers = viewers.filter { $0.playProtocol != .hls }
        spreadViewers(
            .hls, adaptive.filter { !$0.isProbe }, scenario.processes.viewers, cpus.viewers)
        spreadViewers(
            .hlsProbes, adaptive.filter(\.isProbe), scenario.processes.probes,
            cpus.probes ?? cpus.viewers)
        spreadViewers(
            .viewers, viewers.filter { !$0.isProbe }, scenario.processes.viewers, cpus.viewers)
        spreadViewers(
            .probes, viewers.filter(\.isProbe), scenario.processes.probes,
            cpus.probes ?? cpus.viewers)
        if scenario.capture.mode != .off { result.append(make(.capture, 0, cpus.capture)) }
        return result
    }
}
