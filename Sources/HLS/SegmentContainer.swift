import Media
import NIOCore

/// Requirements of a container for its tracks, and the names of its files.
extension SegmenterConfiguration.Container {
    /// Leaves out a track that the container cannot express. `problem` tells why, and is nil if no
    /// track is left out.
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

    /// Number of bytes that the container writes before each key frame. A transport stream repeats
    /// the parameter sets of the video track there, which may be thousands of times as long as the
    /// frame; fragmented MP4 repeats nothing.
    func keyFrameBytes(_ tracks: MediaTracks) -> Int {
        guard self == .ts, let video = tracks.video else { return 0 }
        return (video.sps + video.pps).reduce(0) { $0 + $1.readableBytes + 4 }
    }

    /// Extension of segment files, without the dot.
    var fileExtension: String { self == .ts ? "ts" : "m4s" }

    /// Returns the media type for the header `Content-Type` of segments.
    func contentType(hasVideo: Bool) -> String {
        switch self {
        case .ts: "video/mp2t"
        case .fmp4: hasVideo ? "video/mp4" : "audio/mp4"
        }
    }
}
