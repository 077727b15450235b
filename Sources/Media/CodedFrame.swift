public import NIOCore

/// One coded frame with its times, on a clock of 90 kHz: the input of a muxer.
public struct CodedFrame: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// An H.264 frame; its payload is length-prefixed NAL units.
        case video
        /// An AAC frame; its payload is one raw frame without ADTS.
        case audio
    }

    /// Ticks per second of all times here.
    public static let timescale: Int64 = 90_000

    public var kind: Kind
    /// Decode time in ticks; it does not wrap.
    public var decodeTime: Int64
    /// Presentation minus decode time in ticks; 0 for audio.
    public var compositionOffset: Int32
    /// Ticks to the next frame of the same kind; 0 while the duration is unknown.
    public var duration: Int64
    public var isKeyFrame: Bool
    public var payload: ByteBuffer

    public init(
        kind: Kind, decodeTime: Int64, compositionOffset: Int32 = 0, duration: Int64 = 0,
        isKeyFrame: Bool, payload: ByteBuffer
    ) {
        self.kind = kind
        self.decodeTime = decodeTime
        self.compositionOffset = compositionOffset
        self.duration = duration
        self.isKeyFrame = isKeyFrame
        self.payload = payload
    }

    /// Presentation time in ticks.
    public var presentationTime: Int64 { decodeTime + Int64(compositionOffset) }
}

/// Tracks of a stream: the configurations of its video and audio.
public struct MediaTracks: Hashable, Sendable {
    public var video: AVCDecoderConfigurationRecord?
    public var audio: AudioSpecificConfig?

    public init(
        video: AVCDecoderConfigurationRecord? = nil, audio: AudioSpecificConfig? = nil
    ) {
        self.video = video
        self.audio = audio
    }

    public var isEmpty: Bool { video == nil && audio == nil }

    /// Codecs as RFC 6381 writes them: `avc1.64001F`, `mp4a.40.2`.
    public var codecs: [String] {
        var codecs: [String] = []
        if let video {
            let digits = [video.profile, video.profileCompatibility, video.level].map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            codecs.append("avc1." + digits.joined())
        }
        if let audio { codecs.append("mp4a.40.\(audio.objectType)") }
        return codecs
    }

    /// First sequence parameter set; nil if there is no video or the set cannot be read.
    public var sps: SPS? { video?.sps.first.flatMap { try? SPS(parsing: $0) } }
}
