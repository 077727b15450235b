import Floor
import Foundation
import Media
import NetemShell
import Publisher
import Scenario
import SimulationKernel
import Stacks
import Viewer
import Workers

/// The plan's roles as configurations of the modules that play them.
extension Plan {
    /// Number of different contents among generated streams of the same form. Streams of the same
    /// content share their data: 2 Mbit/s with key frames 2 s apart take half a megabyte. Frame
    /// stamps tell such streams apart.
    private static let syntheticContents: UInt64 = 8

    func publishSpecs(
        _ process: ProcessPlan, _ endpoints: StackEndpoints
    ) -> [PublishSpec] {
        process.publishers.map { index in
            let plan = publishers[index]
            let source: SourceSpec
            switch plan.source {
            case .synthetic(let spec):
                let seed = UInt64(plan.streamID) % Self.syntheticContents
                source = .synthetic(spec.syntheticSpec(seed: seed))
            case .file(let path): source = .file(path: path)
            case .ffmpeg(let clip): source = .file(path: ClipStore.path(of: clip))
            }
            return PublishSpec(
                url: endpoints.url(of: plan), streamID: plan.streamID, source: source,
                phaseNanoseconds: PublishSpec.phase(ofStream: index),
                firstGroupFrames: plan.firstGroupFrames,
                gap: plan.gap.map {
                    PublishGap(
                        atNanoseconds: $0.beginNanoseconds, lengthNanoseconds: $0.lengthNanoseconds)
                })
        }
    }

    /// The streams that a floor sender sends in the place of a server: those that are published,
    /// with the publishers' schedules. Streams from files have none, and scenarios with the floor
    /// sender have no such streams.
    var floorStreams: [FloorStream] {
        publishers.indices.compactMap { index in
            let plan = publishers[index]
            guard plan.isPublished, case .synthetic(let source) = plan.source else { return nil }
            // With one seed, streams of the same form share their data.
            return FloorStream(
                name: plan.streamKey, streamID: plan.streamID,
                source: source.syntheticSpec(seed: 1),
                phaseNanoseconds: PublishSpec.phase(ofStream: index),
                firstGroupFrames: plan.firstGroupFrames)
        }
    }

    /// The configuration of the packet shell; nil if no viewer is behind it.
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

    /// Returns a viewer's sessions, one after the other, with their indices and the nanoseconds at
    /// which they join and leave.
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

extension GeneratedSource {
    /// Returns the source in the terms of the module that makes the frames.
    fileprivate func syntheticSpec(seed: UInt64) -> SyntheticSpec {
        SyntheticSpec(
            width: width, height: height, framesPerSecond: FrameRate(framesPerSecond),
            gopFrames: gopFrames, totalBitrate: bitrate,
            audioBitrate: audioBitrate, seed: seed)
    }
}

extension Plan {
    /// Returns the adaptive viewers of a process.
    func hlsSpecs(_ process: ProcessPlan, _ endpoints: StackEndpoints) -> [HLSViewerSpec] {
        let endpoints =
            process.isBehindPackets
            ? endpoints.reached(at: ShellNetwork.server.description) : endpoints
        return process.viewers.flatMap { index -> [HLSViewerSpec] in
            let plan = viewers[index]
            // The viewer's own edge comes first, and the others follow in their order.
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
}

extension StackEndpoints {
    /// Base URL of RTMP: `rtmp://host:port/application`.
    package var rtmpBase: String { base(application) }

    /// Returns the URL at which a stream is published and may be played. Sources of ladders may
    /// have an application of their own.
    func url(of publisher: PublisherPlan) -> String {
        let isElsewhere = publisher.isLadderSource
        return base(isElsewhere ? sourceApplication ?? application : application)
            + "/\(publisher.streamKey)"
    }

    /// Names of the stack's protocols that are encrypted, so that the capture cannot look into
    /// them.
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
