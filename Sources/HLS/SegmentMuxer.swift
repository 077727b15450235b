import Media
import NIOCore

/// Writes the segments of one epoch, which is a run without a discontinuity.
struct SegmentMuxer: Sendable {
    private enum Form: Sendable {
        case ts(TransportStreamMuxer)
        case fmp4(FragmentedMP4Muxer)
    }

    private var form: Form
    let tracks: MediaTracks
    /// Number of frames that could not be written.
    private(set) var brokenFrames = 0

    init(_ container: SegmenterConfiguration.Container, tracks: MediaTracks) throws {
        self.tracks = tracks
        switch container {
        case .ts: form = .ts(try TransportStreamMuxer(tracks: tracks))
        case .fmp4: form = .fmp4(try FragmentedMP4Muxer(tracks: tracks))
        }
    }

    /// Initialization segment; nil for transport streams.
    var initializationSegment: ByteBuffer? {
        switch form {
        case .ts: nil
        case .fmp4(let muxer): muxer.initializationSegment
        }
    }

    /// Makes the bytes of consecutive frames: a part, or a whole segment.
    /// - Parameter isStart: Whether the frames begin a segment.
    mutating func piece(_ frames: [CodedFrame], isStart: Bool) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(frames.reduce(2048) { $0 + $1.payload.readableBytes * 17 / 16 + 200 })
        switch form {
        case .ts(var muxer):
            // A player may begin with any part that begins with a key frame.
            let isIndependent = frames.first { $0.kind == .video }?.isKeyFrame ?? false
            if isStart || isIndependent { muxer.beginSegment(into: &bytes) }
            for frame in frames {
                do {
                    try muxer.write(frame, into: &bytes)
                } catch {
                    brokenFrames += 1
                }
            }
            muxer.flush(into: &bytes)
            form = .ts(muxer)
        case .fmp4(var muxer):
            if isStart { muxer.beginSegment(into: &bytes) }
            muxer.writeFragment(frames, into: &bytes)
            form = .fmp4(muxer)
        }
        return bytes
    }
}
