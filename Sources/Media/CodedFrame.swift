public import NIOCore

/// One coded frame with its times, on a clock of 90 kHz: what a muxer takes.
public struct CodedFrame: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// H.264: length-prefixed NAL units.
        case video
        /// AAC: one raw frame, without ADTS.
        case audio
    }

    /// Ticks a second of all times here.
    public static let timescale: Int64 = 90_000

    public var kind: Kind
    /// Ticks; not wrapped.
    public var decodeTime: Int64
    /// Presentation minus decode time in ticks; 0 for audio.
    public var compositionOffset: Int32
    /// Ticks to the next frame of its kind; 0 while that is not known.
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

    /// Ticks.
    public var presentationTime: Int64 { decodeTime + Int64(compositionOffset) }
}

/// What a stream consists of: the configurations of its tracks.
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

    /// The codecs as RFC 6381 writes them: `avc1.64001F`, `mp4a.40.2`.
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

    /// What the first sequence parameter set says; nil without video or if it cannot be read.
    public var sps: SPS? { video?.sps.first.flatMap { try? SPS(parsing: $0) } }
}
