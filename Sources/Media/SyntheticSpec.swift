public import SimulationKernel

/// Parameters of a synthetic stream; the same spec always gives the same bytes.
public struct SyntheticSpec: Codable, Hashable, Sendable {
    /// Luma samples in a row, even; 0 with `height` 0 for a stream without video.
    public var width: Int
    /// Luma rows, even.
    public var height: Int
    public var framesPerSecond: FrameRate
    /// Frames from one key frame to the next, 1…3600.
    public var gopFrames: Int
    /// Bit rate of video and audio together: message payload bytes, tag headers included.
    public var totalBitrate: Bitrate?
    /// Bit rate of video; if absent, the part of `totalBitrate` that audio leaves.
    public var videoBitrate: Bitrate?
    /// Bit rate of audio; `nil` or 0 for a stream without audio. In a stream without video an
    /// absent value means `totalBitrate`.
    public var audioBitrate: Bitrate?
    public var seed: UInt64
    /// Sampling rate in Hz; one of `AudioSpecificConfig.sampleRates`.
    public var sampleRate: Int
    /// The first timestamp in milliseconds.
    public var startTimestamp: UInt32

    public init(
        width: Int, height: Int, framesPerSecond: FrameRate = 30, gopFrames: Int = 60,
        totalBitrate: Bitrate? = nil, videoBitrate: Bitrate? = nil, audioBitrate: Bitrate? = nil,
        seed: UInt64 = 1, sampleRate: Int = 48000, startTimestamp: UInt32 = 0
    ) {
        self.width = width
        self.height = height
        self.framesPerSecond = framesPerSecond
        self.gopFrames = gopFrames
        self.totalBitrate = totalBitrate
        self.videoBitrate = videoBitrate
        self.audioBitrate = audioBitrate
        self.seed = seed
        self.sampleRate = sampleRate
        self.startTimestamp = startTimestamp
    }

    private enum CodingKeys: String, CodingKey {
        case width, height, framesPerSecond, gopFrames, totalBitrate, videoBitrate, audioBitrate
        case seed, sampleRate, startTimestamp
    }

    /// Absent keys take the defaults of the memberwise initializer.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            width: try fields.decode(Int.self, forKey: .width),
            height: try fields.decode(Int.self, forKey: .height))
        framesPerSecond =
            try fields.decodeIfPresent(FrameRate.self, forKey: .framesPerSecond) ?? framesPerSecond
        gopFrames = try fields.decodeIfPresent(Int.self, forKey: .gopFrames) ?? gopFrames
        totalBitrate = try fields.decodeIfPresent(Bitrate.self, forKey: .totalBitrate)
        videoBitrate = try fields.decodeIfPresent(Bitrate.self, forKey: .videoBitrate)
        audioBitrate = try fields.decodeIfPresent(Bitrate.self, forKey: .audioBitrate)
        seed = try fields.decodeIfPresent(UInt64.self, forKey: .seed) ?? seed
        sampleRate = try fields.decodeIfPresent(Int.self, forKey: .sampleRate) ?? sampleRate
        startTimestamp =
            try fields.decodeIfPresent(UInt32.self, forKey: .startTimestamp) ?? startTimestamp
    }

    /// The four renditions of the edge ladder, each with GOPs of 2 s; rates include the audio.
    public static let edgeLadder: [(name: String, spec: SyntheticSpec)] = [
        ("720p", rendition(1280, 720, 30, totalKilobits: 2628, audioKilobits: 128)),
        ("480p", rendition(854, 480, 30, totalKilobits: 1128, audioKilobits: 128)),
        ("360p", rendition(640, 360, 30, totalKilobits: 878, audioKilobits: 128)),
        ("240p", rendition(426, 240, 15, totalKilobits: 264, audioKilobits: 64)),
    ]

    private static func rendition(
        _ width: Int, _ height: Int, _ framesPerSecond: Int, totalKilobits: Int,
        audioKilobits: Int
    ) -> SyntheticSpec {
        SyntheticSpec(
            width: width, height: height, framesPerSecond: FrameRate(framesPerSecond),
            gopFrames: framesPerSecond * 2,
            totalBitrate: Bitrate(kilobitsPerSecond: totalKilobits),
            audioBitrate: Bitrate(kilobitsPerSecond: audioKilobits))
    }

    var hasVideo: Bool { width != 0 || height != 0 }

    /// Returns the rates of both tracks; `nil` for a track that the stream does not have.
    /// - Throws: `MediaError.impossibleSpec` if a rate is missing or the three contradict.
    func rates() throws -> (video: Bitrate?, audio: Bitrate?) {
        let audio = audioBitrate?.bitsPerSecond == 0 ? nil : audioBitrate
        guard hasVideo else {
            guard let rate = audio ?? totalBitrate, rate.bitsPerSecond > 0 else {
                throw MediaError(
                    .impossibleSpec, "a stream without video needs an audio bit rate")
            }
            return (nil, rate)
        }
        let left = totalBitrate.map { $0.bitsPerSecond - (audio?.bitsPerSecond ?? 0) }
        guard let video = videoBitrate?.bitsPerSecond ?? left else {
            throw MediaError(.impossibleSpec, "video needs a bit rate")
        }
        if let left, left != video {
            throw MediaError(
                .impossibleSpec,
                "the whole bit rate less the audio's is \(left) bit/s, but the video's is \(video)")
        }
        guard video > 0 else {
            throw MediaError(
                .impossibleSpec, "the audio bit rate leaves nothing of the whole bit rate for video"
            )
        }
        return (Bitrate(bitsPerSecond: video), audio)
    }
}
