package import Processes
import Server
package import SimulationKernel
package import Viewer

/// Everything that happens in one trial, with its times and participants. The plan is a pure
/// function of the scenario and its seed.
package struct Plan: Codable, Sendable, Hashable {
    package var publishers: [PublisherPlan]
    /// The viewers in join order, and then the sessions at the targets of a relay. A viewer's
    /// position in the array is its index.
    package var viewers: [ViewerPlan]
    /// The link of each group that has one, in the order of the groups, and those of the targets.
    package var links: [GroupLink]
    /// Player settings by group; nil for groups that do not adapt. Targets are the last group.
    package var adaptive: [ViewerGroup.Adaptive?]
    package var processes: [ProcessPlan]
    /// Whether the stack's playlists name the streams. It is not known for an external stack.
    package var namesRenditions: Bool
    /// Number of failures of a request after which a viewer changes to the next edge; 0 = never.
    package var edgeFailover: Int

    /// Links that viewers impose on their own sockets.
    package var socketLinks: [ViewerLink] { links.compactMap(\.socket) }

    package init(_ scenario: TrialScenario) {
        let streams = PublisherPlan.all(of: scenario)
        publishers = streams
        let players = ViewerPlan.all(of: scenario)
        let groupLinks = scenario.viewers.compactMap(\.link)
        let sessions =
            scenario.relay?.sessions(
                of: streams, group: scenario.viewers.count, from: players.count,
                firstLink: groupLinks.count) ?? []
        viewers = players + sessions
        links = groupLinks + (scenario.relay?.links ?? [])
        adaptive = scenario.viewers.map(\.adaptive)
        if scenario.relay != nil { adaptive.append(nil) }
        namesRenditions = ![.external, .command].contains(scenario.stack.driver)
        edgeFailover = scenario.stack.edges?.failover ?? 0
        processes =
            ProcessPlan.sinks(of: scenario, sessions)
            + ProcessPlan.all(
                of: scenario, publishers: streams.indices.filter { streams[$0].isPublished },
                viewers: players)
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

    /// Whether a capture keeps the stamped frames that enter the server, because the frames have
    /// more hops than the relay alone.
    package var keepsIngressFrames: Bool {
        hasEncoders || viewers.contains { $0.isProbe && $0.playProtocol == .hls }
    }

    /// Payload bit rate that leaves the server and its edges once all viewers have joined. There is
    /// a lowest and a highest rate, because HLS viewers choose their renditions.
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

    /// Returns the renditions that an HLS viewer may play.
    private func renditions(
        of viewer: ViewerPlan, _ player: ViewerGroup.Adaptive, among all: [PublisherPlan]
    ) -> [PublisherPlan] {
        if let fixed = all.first(where: { $0.rendition == viewer.rendition }) { return [fixed] }
        let allowed = all.filter { $0.height ?? 0 <= player.maximumHeight ?? .max }
        // The lowest rendition stays, however tall it is.
        let lowest = all.min {
            $0.bitrate?.bitsPerSecond ?? 0 < $1.bitrate?.bitsPerSecond ?? 0
        }
        return allowed.isEmpty ? lowest.map { [$0] } ?? [] : allowed
    }
}

/// One stream on the server: a published rendition, the source of a ladder, or an encoded rendition
/// of such a source.
package struct PublisherPlan: Codable, Sendable, Hashable {
    /// Name of a ladder's source in results.
    package static let sourceName = "source"

    /// Stream key: `<stream>_<rendition>`, or the stream's name for the source of a ladder.
    package var streamKey: String
    package var stream: String
    package var rendition: String
    package var source: StreamSource
    /// Bit rate of audio and video payload together; nil for a file, whose rate is not known
    /// beforehand.
    package var bitrate: Bitrate?
    package var audioBitrate: Bitrate?
    /// Number that identifies the stream in frame stamps, from 1. An encoded rendition has its
    /// source's number.
    package var streamID: UInt32
    /// Frames of a generated stream's first group of pictures; nil = as many as in the others.
    package var firstGroupFrames: Int?
    /// The rendition that an encoder of the stack makes; nil = one of the run's own publishers
    /// publishes the stream.
    package var encoded: EncodedRendition?
    /// Whether the stream is the input of encoders. No viewer is planned to watch it.
    package var isLadderSource = false
    /// Whether one ffmpeg makes all renditions of its stream.
    package var sharesEncoder = false
    /// Number of source frames that renditions are compared with; nil if the ladder's renditions
    /// are not compared.
    package var qualityFrames: Int?
    /// Time in which the publisher is gone; nil = it stays.
    package var gap: PublisherGap?

    /// Height of the picture in pixels; nil for a file, which is not inspected.
    var height: Int? {
        encoded?.height ?? source.figures?.size.height
    }

    /// Whether one of the run's own publishers sends the stream.
    package var isPublished: Bool { encoded == nil }

    /// Time in which a publisher is gone, in nanoseconds from the shared start time.
    package struct PublisherGap: Codable, Sendable, Hashable {
        package var beginNanoseconds: Int64
        package var lengthNanoseconds: Int64
    }

    static func all(of scenario: TrialScenario) -> [PublisherPlan] {
        var all: [PublisherPlan] = []
        var streams: UInt32 = 0
        var number = 0
        for stream in scenario.streams {
            for name in stream.names {
                if let ladder = stream.ladder, let source = stream.source {
                    streams += 1
                    all += encoded(name, ladder, of: source, streamID: streams)
                    continue
                }
                let groups = firstGroups(of: stream, number: number, in: scenario)
                number += 1
                for (place, rendition) in stream.renditions.enumerated() {
                    streams += 1
                    var plan = published(
                        "\(name)_\(rendition.name)", name, rendition.name, rendition.source,
                        streamID: streams)
                    plan.firstGroupFrames = groups?[place]
                    all.append(plan)
                }
            }
        }
        if let gap = scenario.relay?.faults?.publisherGap, all.indices.contains(gap.stream - 1) {
            all[gap.stream - 1].gap = PublisherGap(
                beginNanoseconds: (scenario.warmup + gap.begin).nanoseconds,
                lengthNanoseconds: gap.length.nanoseconds)
        }
        return all
    }

    /// Returns the frames of the first group of pictures of each rendition of a stream; nil = as
    /// many as in the others.
    ///
    /// Streams that begin together would send all of their key frames together as well, which
    /// publishers that know nothing of each other do not: 400 key frames within the time of one
    /// frame hold a server up for 100 ms. The golden ratio spreads any number of streams evenly. A
    /// stream's renditions keep their key frames together, so the group ends where all of them
    /// have a frame. Where HLS is packaged all groups are whole, because the first segment decides
    /// on the target duration.
    /// - Parameter number: Number of the stream among those of all entries, from 0.
    private static func firstGroups(
        of stream: ScenarioStream, number: Int, in scenario: TrialScenario
    ) -> [Int]? {
        guard scenario.stack.hls == nil, scenario.stack.hlsURL == nil else { return nil }
        let sources = stream.renditions.compactMap { rendition -> GeneratedSource? in
            guard case .synthetic(let source) = rendition.source else { return nil }
            return source
        }
        guard let first = sources.first, sources.count == stream.renditions.count,
            sources.allSatisfy({ $0.gop == first.gop && $0.framesPerSecond > 0 })
        else { return nil }
        // Times in a second at which all renditions have a frame.
        let common = sources.reduce(0) { commonDivisor($0, $1.framesPerSecond) }
        let places = first.gopFrames / (first.framesPerSecond / common)
        let part = (Double(number) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
        let skipped = Int(part * Double(places - 1))
        guard skipped > 0 else { return nil }
        return sources.map { $0.gopFrames - skipped * ($0.framesPerSecond / common) }
    }

    /// Returns the greatest common divisor of two numbers that are 0 or more.
    private static func commonDivisor(_ a: Int, _ b: Int) -> Int {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
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

    /// Returns the source and the renditions that the encoders make of it.
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
    /// Position in the join order, from 0.
    package var index: Int
    /// Index of the viewer's group in the scenario, from 0.
    package var group: Int
    package var playProtocol: ViewerGroup.PlayProtocol
    package var streamKey: String
    package var stream: String
    package var rendition: String
    /// Time of the connection attempt, from the shared start time.
    package var joinOffsetNanoseconds: Int64
    package var isProbe: Bool
    package var mode: ViewerGroup.Mode
    /// The viewer's link; it refers to one of the plan's links.
    package var link: LinkAssignment?
    /// Length of each successive session; empty = one session until the end.
    package var watchNanoseconds: [Int64]
    package var playoutBufferNanoseconds: Int64
    /// Index of the edge that the viewer connects to, from 0; nil = the origin.
    package var edge: Int?
    /// Number of the target, from 0, at which the server publishes the stream; nil for a viewer that
    /// plays.
    package var target: Int?
}

/// One child process.
package struct ProcessPlan: Codable, Sendable, Hashable {
    package enum Role: String, Codable, Sendable, CaseIterable {
        case server, publishers, viewers, probes, hls, capture, links, edge, sinks
        /// Adaptive viewers that read what they fetch. They never share a loop with other viewers.
        case hlsProbes = "hls-probes"
    }

    package var role: Role
    /// Name of the process, `<role>-<number>`; numbers begin at 0.
    package var name: String
    package var cpus: CPUSet?
    /// Indices of publishers in the plan.
    package var publishers: [Int]
    /// Indices of viewers in the plan. A process with the role `links` forwards the packets of
    /// these viewers.
    package var viewers: [Int]
    /// Whether the process runs in the network namespace behind the packet shell.
    package var isBehindPackets = false

    /// Spreads the work of each role over its processes by turns. A role without work has no
    /// process.
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
        /// All viewers of a process share the process's namespace.
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
