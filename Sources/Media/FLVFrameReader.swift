public import NIOCore

/// Turns RTMP messages or FLV tags into coded frames: H.264 and AAC, one track each.
///
/// Timestamps (32 bits of milliseconds) are unwrapped into one timeline that both tracks share. If
/// audio timestamps are whole frames apart except for rounding, the frames get exact times.
public struct FLVFrameReader: Sendable {
    /// Latest configurations.
    public private(set) var tracks = MediaTracks()
    /// Latest codec that cannot be packaged; the reader skips its frames.
    public private(set) var unsupportedCodec: String?
    /// Number of messages that the reader skipped because their header is cut off or holds a
    /// reserved value; the format asks readers to skip these.
    public private(set) var skippedMessages = 0
    /// Latest timestamp of the timeline, as it arrived and unwrapped.
    private var reference: (raw: UInt32, time: Int64)?
    /// Timestamp far from the timeline. The next timestamps determine whether it begins another
    /// timeline.
    private var candidate: UInt32?
    private var missedAnchor = false
    /// Ticks at which exact audio time was last tied to a timestamp, and the samples since then.
    private var audioAnchor: (ticks: Int64, samples: Int64)?

    /// Longest timeline in milliseconds: 36 years.
    private static let longestLine: Int64 = 1 << 40
    /// Largest distance from the latest timestamp, in milliseconds, at which a timestamp is
    /// accepted without a doubt.
    private static let nearStep: Int64 = 10_000

    public init() {}

    /// Reads the frame of a tag body. Returns nil for configurations, metadata and unsupported
    /// codecs.
    /// - Parameters:
    ///   - timestamp: Decode time in milliseconds; it wraps.
    ///   - payload: The whole tag body.
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
        // Only one video track is packaged: another track's pictures would be mixed up with it.
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

    /// Returns the exact time if it differs from `ticks` only by a rounding error, else `ticks`.
    /// One frame far from the exact time does not move the anchor; a second one does.
    private mutating func audioTime(_ ticks: Int64, _ config: AudioSpecificConfig) -> Int64 {
        let frame = Int64(config.samplesPerFrame)
        if let (start, samples) = audioAnchor {
            let exact = start + Self.ticks(samples: samples, config)
            // The limit is 1.5 ms, for rounding to milliseconds on both sides. The anchor moves now
            // and then, so that the products stay small.
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

    /// Unwraps `timestamp` to the time nearest to the timeline. One timestamp far from the timeline
    /// does not move it.
    private mutating func unwrap(_ timestamp: UInt32) -> Int64 {
        guard let last = reference else {
            reference = (timestamp, Int64(timestamp))
            return Int64(timestamp)
        }
        let step = Int32(bitPattern: timestamp &- last.raw)
        let sum = last.time + Int64(step)
        // This is jitter around the beginning.
        if sum < 0, sum > -1_000 { return 0 }
        // fMP4 has no negative decode time, and ticks have a largest value, so the timeline begins
        // anew there.
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
