import Media
import NIOCore

/// Requirements of a container on its tracks, and the names of its files.
extension SegmenterConfiguration.Container {
    /// Leaves out a track that the container cannot express; `problem` says why it is left out.
    func usable(_ offered: MediaTracks) -> (tracks: MediaTracks, problem: String?) {
        guard self == .ts, let audio = offered.audio else { return (offered, nil) }
        do {
            _ = try ADTSHeader(config: audio, payloadLength: 0)
            return (offered, nil)
        } catch {
            var tracks = offered
            tracks.audio = nil
            let why = (error as? MediaError)?.message ?? "\(error)"
            return (tracks, "the sound is left out: \(why)")
        }
    }

    /// Bytes that a transport stream writes before each key frame: its parameter sets, which may be
    /// thousands of times as long as the frame.
    func keyFrameBytes(_ tracks: MediaTracks) -> Int {
        guard self == .ts, let video = tracks.video else { return 0 }
        return (video.sps + video.pps).reduce(0) { $0 + $1.readableBytes + 4 }
    }

    var fileExtension: String { self == .ts ? "ts" : "m4s" }

    func contentType(hasVideo: Bool) -> String {
        switch self {
        case .ts: "video/mp2t"
        case .fmp4: hasVideo ? "video/mp4" : "audio/mp4"
        }
    }
}
