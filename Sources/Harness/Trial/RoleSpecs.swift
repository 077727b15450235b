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
            // Streams of one encoder would start together; these are spread over a frame.
            let phase = Int64(index) * 7_919_000 % 33_000_000
            return PublishSpec(
                url: "\(endpoints.rtmpBase)/\(plan.streamKey)", streamID: plan.streamID,
                source: source, phaseNanoseconds: phase)
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
            func spec(_ session: Int, _ join: Int64, _ leave: Int64?) -> ViewerSpec {
                ViewerSpec(
                    index: plan.index + session * Self.sessionStride,
                    transport: isHTTP ? .httpFLV : .rtmp, url: url, stream: plan.stream,
                    rendition: plan.rendition, joinNanoseconds: join, leaveNanoseconds: leave,
                    link: link, localAddress: address,
                    playoutBufferMilliseconds: Int(plan.playoutBufferNanoseconds / 1_000_000),
                    mode: plan.mode == .prompt ? .prompt : .lazy)
            }
            guard !plan.watchNanoseconds.isEmpty else {
                return [spec(0, plan.joinOffsetNanoseconds, nil)]
            }
            var join = plan.joinOffsetNanoseconds
            return plan.watchNanoseconds.enumerated().map { session, watch in
                defer { join += watch }
                return spec(session, join, join + watch)
            }
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
            guard let adaptive = adaptive[plan.group] else { return [] }
            let base = plan.edge.map { endpoints.edgeURLs[$0] } ?? endpoints.hlsURL ?? ""
            let url = base.replacing("{stream}", with: plan.stream)
            var spec = HLSViewerSpec(index: index, url: url)
            spec.algorithm = fixedRung(of: plan).map { "fixed:\($0)" } ?? adaptive.algorithm
            spec.maximumBufferMilliseconds = Double(adaptive.buffer.nanoseconds) / 1e6
            spec.maximumHeight = adaptive.maximumHeight
            spec.targetLatencyMilliseconds = adaptive.latency.map { Double($0.nanoseconds) / 1e6 }
            spec.usesParts = adaptive.usesParts
            spec.abandons = adaptive.abandons
            spec.link = socketPlace(plan.link)
            spec.localAddress = packetAddress(ofViewer: index)?.description
            var join = plan.joinOffsetNanoseconds
            guard !plan.watchNanoseconds.isEmpty else {
                spec.joinNanoseconds = join
                return [spec]
            }
            return plan.watchNanoseconds.enumerated().map { session, watch in
                defer { join += watch }
                var spec = spec
                spec.index = index + session * Self.sessionStride
                spec.joinNanoseconds = join
                spec.leaveNanoseconds = join + watch
                return spec
            }
        }
    }

    /// The place of a fixed rendition in its stream's ladder; nil for viewers that adapt.
    func fixedRung(of viewer: ViewerPlan) -> Int? {
        guard viewer.rendition != "all" else { return nil }
        let ladder = publishers.filter { $0.stream == viewer.stream && !$0.isLadderSource }.sorted {
            ($0.bitrate?.bitsPerSecond ?? 0) < ($1.bitrate?.bitsPerSecond ?? 0)
        }
        return ladder.firstIndex { $0.rendition == viewer.rendition }
    }
}

extension StackEndpoints {
    /// `rtmp://host:port/application`
    var rtmpBase: String {
        let host = rtmpHost.contains(":") ? "[\(rtmpHost)]" : rtmpHost
        return "rtmp://\(host):\(rtmpPort)/\(application)"
    }
}
