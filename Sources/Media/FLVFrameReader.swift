public import NIOCore

/// Turns RTMP messages or FLV tags into coded frames: H.264 and AAC, one track each.
///
/// Timestamps (32 bits of milliseconds) are unwrapped into one timeline that both tracks share.
/// Audio whose timestamps are whole frames apart but for rounding gets exact times.
public struct FLVFrameReader: Sendable {
    /// The configurations that came last.
    public private(set) var tracks = MediaTracks()
    /// A codec that came and cannot be packaged; its frames are passed over.
    public private(set) var unsupportedCodec: String?
    /// Messages whose header is cut off or holds a value that is reserved: they are passed over, as
    /// the format says.
    public private(set) var skippedMessages = 0
    /// The last timestamp of the line, as it came and unwrapped.
    private var reference: (raw: UInt32, time: Int64)?
    /// A timestamp far from the line, until the next ones tell whether it begins another.
    private var candidate: UInt32?
    private var missedAnchor = false
    /// Where exact audio time was last tied to a timestamp, and samples since then.
    private var audioAnchor: (ticks: Int64, samples: Int64)?

    /// Milliseconds; 36 years.
    private static let longestLine: Int64 = 1 << 40
    /// Milliseconds that a timestamp may be from the last one without a doubt.
    private static let nearStep: Int64 = 10_000

    public init() {}

    /// The frame that a tag body holds; nil for configurations, metadata and what is not supported.
    /// - Parameters:
    ///   - timestamp: decode time in milliseconds; wraps.
    ///   - payload: the whole tag body.
    /// - Throws: `MediaError` if a configuration cannot be read.
    public mutating func read(
        _ type: FLVTagType, timestamp: UInt32, payload: ByteBuffer
    ) throws -> CodedFrame? {
        switch type {
        case .video: try video(timestamp, payload)
        case .audio: try audio(timestamp, payload)
        case .script: nil
        }
    }

    private mutating func video(_ timestamp: UInt32, _ payload: ByteBuffer) throws -> CodedFrame? {
        guard let header = VideoTagHeader.parse(payload) else {
            skippedMessages += 1
            return nil
        }
        guard header.codec.isAVC, header.packetType != .multitrack else {
            guard header.frameType != .command else { return nil }
            unsupportedCodec =
                header.packetType == .multitrack ? "multitrack video" : Self.name(header.codec)
            return nil
        }
        // One picture is packaged: another track's would be mixed up with it.
        guard header.trackID == 0 else { return nil }
        var body = payload
        body.moveReaderIndex(forwardBy: min(header.headerLength, body.readableBytes))
        if header.isSequenceHeader {
            let record = try AVCDecoderConfigurationRecord(parsing: body)
            guard !record.sps.isEmpty else {
                throw MediaError(.invalidValue, "the AVC configuration has no parameter sets")
            }
            tracks.video = record
            return nil
        }
        guard header.hasCodedFrames, tracks.video != nil, body.readableBytes > 0 else { return nil }
        return CodedFrame(
            kind: .video, decodeTime: unwrap(timestamp) * 90,
            compositionOffset: header.compositionTime.multipliedReportingOverflow(by: 90).0,
            isKeyFrame: header.isKeyFrame, payload: body)
    }

    private mutating func audio(_ timestamp: UInt32, _ payload: ByteBuffer) throws -> CodedFrame? {
        guard let header = AudioTagHeader.parse(payload) else {
            skippedMessages += 1
            return nil
        }
        guard header.codec.isAAC, header.packetType != .multitrack else {
            unsupportedCodec =
                header.packetType == .multitrack ? "multitrack audio" : Self.name(header.codec)
            return nil
        }
        guard header.trackID == 0 else { return nil }
        var body = payload
        body.moveReaderIndex(forwardBy: min(header.headerLength, body.readableBytes))
        if header.isSequenceHeader {
            let config = try AudioSpecificConfig(parsing: body)
            if config != tracks.audio { audioAnchor = nil }
            tracks.audio = config
            return nil
        }
        guard header.hasCodedFrames, let config = tracks.audio, body.readableBytes > 0 else {
            return nil
        }
        return CodedFrame(
            kind: .audio, decodeTime: audioTime(unwrap(timestamp) * 90, config),
            duration: Self.ticks(samples: Int64(config.samplesPerFrame), config),
            isKeyFrame: true, payload: body)
    }

    private static func ticks(samples: Int64, _ config: AudioSpecificConfig) -> Int64 {
        let rate = Int64(config.sampleRate)
        return (samples * CodedFrame.timescale + rate / 2) / rate
    }

    /// `ticks`, or the exact time if that is a rounding error away. One frame elsewhere does not move
    /// the anchor; a second one does.
    private mutating func audioTime(_ ticks: Int64, _ config: AudioSpecificConfig) -> Int64 {
        let frame = Int64(config.samplesPerFrame)
        if let (start, samples) = audioAnchor {
            let exact = start + Self.ticks(samples: samples, config)
            // 1.5 ms: rounding to milliseconds on both sides. The anchor moves along now and
            // then, so that the products stay small.
            let isNear = abs(exact - ticks) <= 135
            if isNear || !missedAnchor {
                missedAnchor = !isNear
                let next = samples + frame
                let rate = Int64(config.sampleRate)
                audioAnchor =
                    next >= 1024 * rate
                    ? (start + 1024 * CodedFrame.timescale, next - 1024 * rate) : (start, next)
                return isNear ? exact : ticks
            }
        }
        missedAnchor = false
        audioAnchor = (ticks, frame)
        return ticks
    }

    /// The time nearest to the line, which one timestamp far from it does not move.
    private mutating func unwrap(_ timestamp: UInt32) -> Int64 {
        guard let last = reference else {
            reference = (timestamp, Int64(timestamp))
            return Int64(timestamp)
        }
        let step = Int32(bitPattern: timestamp &- last.raw)
        let sum = last.time + Int64(step)
        // Jitter about the beginning.
        if sum < 0, sum > -1_000 { return 0 }
        // fMP4 has no negative decode time, and ticks have an end: the line begins anew there.
        let isOff = sum < 0 || sum > Self.longestLine
        let time = isOff ? Int64(timestamp) : sum
        let isNear = !isOff && abs(Int64(step)) <= Self.nearStep
        let isFollowed =
            candidate.map { abs(Int64(Int32(bitPattern: timestamp &- $0))) <= Self.nearStep }
            ?? false
        if isNear || isFollowed {
            reference = (timestamp, time)
            candidate = nil
        } else {
            candidate = timestamp
        }
        return time
    }

    private static func name(_ codec: VideoTagHeader.Codec) -> String {
        switch codec {
        case .legacy(12): "HEVC"
        case .legacy(let number): "video codec \(number)"
        case .fourCC(let code): "\(code)"
        }
    }

    private static func name(_ codec: AudioTagHeader.Codec) -> String {
        switch codec {
        case .legacy(2): "MP3"
        case .legacy(let number): "sound format \(number)"
        case .fourCC(let code): "\(code)"
        }
    }
}
