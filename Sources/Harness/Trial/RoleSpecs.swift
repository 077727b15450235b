import Foundation
import Media
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

    func viewerSpecs(
        _ process: ProcessPlan, _ endpoints: StackEndpoints
    ) -> [ViewerSpec] {
        process.viewers.flatMap { index -> [ViewerSpec] in
            let plan = viewers[index]
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
                    link: plan.link,
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

extension StackEndpoints {
    /// `rtmp://host:port/application`
    var rtmpBase: String {
        let host = rtmpHost.contains(":") ? "[\(rtmpHost)]" : rtmpHost
        return "rtmp://\(host):\(rtmpPort)/\(application)"
    }
}
