import Foundation
import Media
import NetemShell
import SimulationKernel
import Publisher
import Viewer

/// The plan's roles in the terms of the modules that play them.
extension Plan {
    func publishSpecs(
        _ process: ProcessPlan, _ endpoints: StackEndpoints
    ) -> [PublishSpec] {
        process.publishers.map { index in
            let plan = publishers[index]
            let source: Publisher.SourceSpec
            switch plan.source {
            case .synthetic(let spec):
                let frames = Double(spec.gop.nanoseconds) / 1e9 * Double(spec.framesPerSecond)
                source = .synthetic(
                    SyntheticSpec(
                        width: spec.width, height: spec.height,
                        framesPerSecond: FrameRate(spec.framesPerSecond),
                        gopFrames: max(1, Int(frames.rounded())), totalBitrate: spec.bitrate,
                        audioBitrate: spec.audioBitrate, seed: UInt64(plan.streamID)))
            case .file(let path): source = .file(path: path)
            case .ffmpeg(let clip): source = .file(path: ClipStore.path(of: clip))
            }
            return PublishSpec(
                url: endpoints.url(of: plan), streamID: plan.streamID, source: source,
                phaseNanoseconds: PublishSpec.phase(ofStream: index))
        }
    }

    /// The index of a viewer's later sessions is moved by this much each.
    static let sessionStride = 1_000_000

    /// When a session is planned to end, from the shared start time; nil = at the end of the run.
    func leaveOffset(ofSession index: Int) -> Int64? {
        let viewer = viewers[index % Self.sessionStride]
        guard !viewer.watchNanoseconds.isEmpty else { return nil }
        return viewer.joinOffsetNanoseconds
            + viewer.watchNanoseconds.prefix(index / Self.sessionStride + 1).reduce(0, +)
    }

    /// Sessions of all viewers.
    var sessionCount: Int { viewers.reduce(0) { $0 + max(1, $1.watchNanoseconds.count) } }

    /// The address of a viewer behind the packet shell; nil for the others.
    func packetAddress(ofViewer index: Int) -> IPv4Address? {
        viewers[index].link.flatMap { links[$0.link].packet }.map { _ in
            ShellNetwork.viewer(index)
        }
    }

    /// A place among `socketLinks`; nil where the packet shell shapes.
    func socketPlace(_ place: ViewerLinkPlace?) -> ViewerLinkPlace? {
        guard var place, links[place.link].socket != nil else { return nil }
        place.link = links[..<place.link].count { $0.socket != nil }
        return place
    }

    /// What the packet shell has to do; nil where no viewer is behind it.
    func linkConfig(_ congestionControl: String?, seed: UInt64) -> LinkRole.Config? {
        guard let process = processes.first(where: { $0.role == .links }) else { return nil }
        return LinkRole.Config(
            links: links.compactMap(\.packet),
            viewers: process.viewers.compactMap { index in
                viewers[index].link.map { place in
                    LinkRole.Viewer(
                        index: index, link: links[..<place.link].count { $0.packet != nil },
                        placeNanoseconds: place.offsetNanoseconds, seed: place.seed)
                }
            }, seed: seed, congestionControl: congestionControl)
    }

    func viewerSpecs(
        _ process: ProcessPlan, _ endpoints: StackEndpoints
    ) -> [ViewerSpec] {
        let endpoints =
            process.isBehindPackets
            ? endpoints.reached(at: ShellNetwork.server.description) : endpoints
        return process.viewers.flatMap { index -> [ViewerSpec] in
            let plan = viewers[index]
            let link = socketPlace(plan.link)
            let address = packetAddress(ofViewer: index)?.description
            let isHTTP = plan.playProtocol == .httpFLV
            let url =
                isHTTP
                ? "\(endpoints.httpFLVBase ?? "")/\(plan.streamKey).flv"
                : "\(endpoints.rtmpBase)/\(plan.streamKey)"
            return sessions(of: plan).map { session in
                ViewerSpec(
                    index: session.index, transport: isHTTP ? .httpFLV : .rtmp, url: url,
                    stream: plan.stream, rendition: plan.rendition,
                    joinNanoseconds: session.join, leaveNanoseconds: session.leave,
                    link: link, localAddress: address,
                    playoutBufferMilliseconds: Int(plan.playoutBufferNanoseconds / 1_000_000),
                    mode: plan.mode == .prompt ? .prompt : .lazy)
            }
        }
    }

    /// A viewer's sessions, one after the other: their indices, and when they join and leave.
    private func sessions(
        of viewer: ViewerPlan
    ) -> [(index: Int, join: Int64, leave: Int64?)] {
        var join = viewer.joinOffsetNanoseconds
        guard !viewer.watchNanoseconds.isEmpty else { return [(viewer.index, join, nil)] }
        return viewer.watchNanoseconds.enumerated().map { session, watch in
            defer { join += watch }
            return (viewer.index + session * Self.sessionStride, join, join + watch)
        }
    }
}

extension Plan {
    /// The adaptive viewers of a process.
    func hlsSpecs(_ process: ProcessPlan, _ endpoints: StackEndpoints) -> [HLSViewerSpec] {
        let endpoints =
            process.isBehindPackets
            ? endpoints.reached(at: ShellNetwork.server.description) : endpoints
        return process.viewers.flatMap { index -> [HLSViewerSpec] in
            let plan = viewers[index]
            // Its own edge, and the others in their order after it.
            let urls = plan.edge.map { edge in
                Array(endpoints.edgeURLs[edge...] + endpoints.edgeURLs[..<edge])
            }
            let entries = (urls ?? [endpoints.hlsURL ?? ""]).map {
                $0.replacing("{stream}", with: plan.stream)
            }
            guard var spec = hlsSpec(plan, url: entries[0]) else { return [] }
            spec.failoverAfter = edgeFailover
            spec.alternatives = edgeFailover > 0 ? Array(entries.dropFirst()) : []
            return sessions(of: plan).map { session in
                var spec = spec
                spec.index = session.index
                spec.joinNanoseconds = session.join
                spec.leaveNanoseconds = session.leave
                return spec
            }
        }
    }

    /// The run's own publishers begin as its viewers do: the first playlist may take a long segment,
    /// ms.
    private static let playlistPatience = 30_000.0

    /// How an adaptive viewer plays; nil for one that does not adapt.
    func hlsSpec(_ viewer: ViewerPlan, url: String) -> HLSViewerSpec? {
        guard let adaptive = adaptive[viewer.group] else { return nil }
        var spec = HLSViewerSpec(index: viewer.index, url: url)
        spec.algorithm = adaptive.algorithm
        if let (place, publisher) = fixedRendition(of: viewer) {
            spec.algorithm = "fixed:\(place)"
            spec.rendition = namesRenditions ? publisher.streamKey : nil
        }
        spec.maximumBufferMilliseconds = Double(adaptive.buffer.nanoseconds) / 1e6
        spec.maximumHeight = adaptive.maximumHeight
        spec.targetLatencyMilliseconds = adaptive.latency.map { Double($0.nanoseconds) / 1e6 }
        spec.usesParts = adaptive.usesParts
        spec.abandons = adaptive.abandons
        spec.isProbe = viewer.isProbe
        spec.patienceMilliseconds = Self.playlistPatience
        spec.link = socketPlace(viewer.link)
        spec.localAddress = packetAddress(ofViewer: viewer.index)?.description
        return spec
    }

    /// A fixed rendition and its place in its stream's ladder, by nominal rates; nil for viewers that
    /// adapt.
    private func fixedRendition(
        of viewer: ViewerPlan
    ) -> (place: Int, publisher: PublisherPlan)? {
        guard viewer.rendition != "all" else { return nil }
        let ladder = publishers.filter { $0.stream == viewer.stream && !$0.isLadderSource }.sorted {
            ($0.bitrate?.bitsPerSecond ?? 0) < ($1.bitrate?.bitsPerSecond ?? 0)
        }
        return ladder.enumerated().first { $0.element.rendition == viewer.rendition }
            .map { ($0.offset, $0.element) }
    }
}

extension StackEndpoints {
    /// `rtmp://host:port/application`
    var rtmpBase: String { base(application) }

    /// Where a stream is published, and may be played; sources of ladders may have another application.
    func url(of publisher: PublisherPlan) -> String {
        let isElsewhere = publisher.isLadderSource
        return base(isElsewhere ? sourceApplication ?? application : application)
            + "/\(publisher.streamKey)"
    }

    /// What of the stack the capture cannot look into.
    var encryptedParts: [String] {
        [
            isSecure ? "RTMP" : nil, httpFLVBase?.hasPrefix("https://") ?? false ? "HTTP-FLV" : nil,
            hlsURL?.hasPrefix("https://") ?? false ? "HLS" : nil,
        ].compactMap(\.self)
    }

    private func base(_ application: String) -> String {
        let host = rtmpHost.contains(":") ? "[\(rtmpHost)]" : rtmpHost
        return "\(isSecure ? "rtmps" : "rtmp")://\(host):\(rtmpPort)/\(application)"
    }
}
