import NIOCore

/// Turns an FLV file into the frames that `FileSource` repeats.
struct FileSourceLoader {
    struct Frame: Sendable {
        /// Time since the first frame of the file.
        var milliseconds: Int64
        var payload: ByteBuffer
        var isKeyFrame: Bool
    }

    /// The frames of one kind, in file order.
    private struct Track {
        var frames: [Frame] = []
        var sequenceHeader: ByteBuffer?
        var bytes = 0

        /// Mean time from frame to frame in nanoseconds, at least 1 ms; `fallback` if there is only
        /// one frame.
        func frameNanoseconds(fallback: Int64) -> Int64 {
            guard let first = frames.first, let last = frames.last, frames.count > 1 else {
                return fallback
            }
            let span = (last.milliseconds - first.milliseconds) * 1_000_000
            return max(1_000_000, span / Int64(frames.count - 1))
        }

        /// Time from the first frame to the end of the last one, in nanoseconds.
        func span(lastFrame: Int64) -> Int64 {
            guard let first = frames.first, let last = frames.last else { return 0 }
            return (last.milliseconds - first.milliseconds) * 1_000_000 + lastFrame
        }

        func frames(from start: Int64) -> [Frame] {
            frames.map {
                var frame = $0
                frame.milliseconds -= start
                return frame
            }
        }
    }

    struct Loaded {
        /// Frames of both tracks in file order, with times from the start of the earlier track.
        var video: [Frame]
        var audio: [Frame]
        var loopNanoseconds: Int64
        var videoSequenceHeader: ByteBuffer?
        var audioSequenceHeader: ByteBuffer?
        var nalUnitLengthSize: Int
        var metadata: [(name: String, value: MetadataValue)]
    }

    private var reader = FLVReader()
    private var video = Track()
    private var audio = Track()
    private var videoHeader: VideoTagHeader?
    private var audioHeader: AudioTagHeader?
    /// Latest timestamp, unwrapped.
    private var clock: Int64?
    private var isEmpty = true
    /// Number of encrypted tags, which cannot be played here.
    private var filteredTags = 0
    /// Largest distance of a timestamp from 0, in milliseconds; a timestamp farther away is moved
    /// to this limit.
    private static let timeLimit: Int64 = 1 << 38

    mutating func append(_ bytes: ByteBuffer) throws {
        if bytes.readableBytes > 0 { isEmpty = false }
        reader.append(bytes)
        while let tag = try reader.next() {
            guard tag.type != .script, tag.payload.readableBytes > 0 else { continue }
            guard !tag.isFiltered else {
                filteredTags += 1
                continue
            }
            if tag.type == .video { try addVideo(tag) } else { try addAudio(tag) }
        }
    }

    private mutating func addVideo(_ tag: FLVTag) throws {
        guard let header = VideoTagHeader.parse(tag.payload) else {
            // The header holds a reserved value, and readers skip such a tag.
            return
        }
        if header.isSequenceHeader {
            try Self.keep(tag.payload, in: &video.sequenceHeader, track: "video")
            videoHeader = header
            return
        }
        guard header.hasCodedFrames else { return }
        if videoHeader == nil { videoHeader = header }
        // A decoder cannot start before the first key frame.
        if video.frames.isEmpty, !header.isKeyFrame { return }
        Self.add(tag, to: &video, isKey: header.isKeyFrame, time: unwrapped(tag))
    }

    private mutating func addAudio(_ tag: FLVTag) throws {
        guard let header = AudioTagHeader.parse(tag.payload) else {
            return
        }
        if header.isSequenceHeader {
            try Self.keep(tag.payload, in: &audio.sequenceHeader, track: "audio")
            audioHeader = header
            return
        }
        guard header.hasCodedFrames else { return }
        if audioHeader == nil { audioHeader = header }
        Self.add(tag, to: &audio, isKey: false, time: unwrapped(tag))
    }

    private static func keep(
        _ header: ByteBuffer, in kept: inout ByteBuffer?, track: String
    ) throws {
        if let kept, kept != header {
            throw MediaError(
                .unsupported,
                "the \(track) configuration changes midway; re-encode the file to a single one")
        }
        kept = header
    }

    /// Adds a frame. Decode times of one track rise strictly: a time that does not is set 1 ms
    /// after its predecessor.
    private static func add(
        _ tag: FLVTag, to track: inout Track, isKey: Bool, time: Int64
    ) {
        var time = time
        if let last = track.frames.last { time = max(time, last.milliseconds + 1) }
        track.bytes += tag.payload.readableBytes
        track.frames.append(
            Frame(milliseconds: time, payload: tag.payload, isKeyFrame: isKey))
    }

    /// Continues the timestamp beyond 32 bits.
    private mutating func unwrapped(_ tag: FLVTag) -> Int64 {
        guard let last = clock else {
            clock = Int64(tag.timestamp)
            return Int64(tag.timestamp)
        }
        let step = Int32(bitPattern: tag.timestamp &- UInt32(truncatingIfNeeded: last))
        // Whatever the timestamps are, the timeline stays within the range of nanoseconds in 64
        // bits.
        let time = min(max(last + Int64(step), -Self.timeLimit), Self.timeLimit)
        clock = time
        return time
    }

    /// Returns the loaded file.
    /// - Throws: `MediaError`: `.empty`, `.notFLV`, `.invalidValue`.
    mutating func finish() throws -> Loaded {
        guard !isEmpty else { throw MediaError(.empty, "the file is empty") }
        guard reader.hasVideo != nil else {
            throw MediaError(.notFLV, "the file ends within the FLV header")
        }
        let starts = [video, audio].compactMap { $0.frames.first?.milliseconds }
        guard let first = starts.min() else {
            throw filteredTags > 0
                ? MediaError(
                    .unsupported,
                    "the file is encrypted: \(filteredTags) of its tags are; give one that is not")
                : MediaError(.empty, "the file has no audio frame and no video key frame")
        }
        var nalUnitLengthSize = 4
        var sps: SPS?
        if let videoHeader, videoHeader.codec.isAVC, !video.frames.isEmpty {
            guard let header = video.sequenceHeader else {
                throw MediaError(.invalidValue, "the H.264 video has no sequence header")
            }
            let record = try AVCDecoderConfigurationRecord(
                parsing: Self.body(of: header, after: videoHeader.headerLength))
            nalUnitLengthSize = record.nalUnitLengthSize
            sps = record.sps.first.flatMap { try? SPS(parsing: $0) }
        }
        let config = audioConfig()
        let audioFallback =
            config.map { Int64($0.samplesPerFrame) * 1_000_000_000 / Int64($0.sampleRate) }
        let videoFrame = video.frameNanoseconds(fallback: 40_000_000)
        let audioFrame = audio.frameNanoseconds(
            fallback: max(1_000_000, audioFallback ?? 20_000_000))
        let loop = max(video.span(lastFrame: videoFrame), audio.span(lastFrame: audioFrame))
        return Loaded(
            video: video.frames(from: first), audio: audio.frames(from: first),
            loopNanoseconds: loop,
            videoSequenceHeader: video.sequenceHeader, audioSequenceHeader: audio.sequenceHeader,
            nalUnitLengthSize: nalUnitLengthSize,
            metadata: metadata(sps: sps, config: config, videoFrame: videoFrame, loop: loop))
    }

    private static func body(of payload: ByteBuffer, after headerLength: Int) -> ByteBuffer {
        let length = payload.readableBytes - headerLength
        return payload.getSlice(at: payload.readerIndex + headerLength, length: length)
            ?? ByteBuffer()
    }

    private func audioConfig() -> AudioSpecificConfig? {
        guard let audioHeader, audioHeader.codec.isAAC, let header = audio.sequenceHeader else {
            return nil
        }
        return try? AudioSpecificConfig(
            parsing: Self.body(of: header, after: audioHeader.headerLength))
    }

    private func metadata(
        sps: SPS?, config: AudioSpecificConfig?, videoFrame: Int64, loop: Int64
    ) -> [(name: String, value: MetadataValue)] {
        var properties: [(name: String, value: MetadataValue)] = []
        let kilobits = { (bytes: Int) in Double(bytes) * 8e6 / Double(loop) }
        if let videoHeader, !video.frames.isEmpty {
            if let sps {
                properties.append(("width", .number(Double(sps.width))))
                properties.append(("height", .number(Double(sps.height))))
            }
            let measured = 1e9 / Double(videoFrame)
            properties.append(("framerate", .number(sps?.framesPerSecond ?? measured)))
            switch videoHeader.codec {
            case .legacy(let id): properties.append(("videocodecid", .number(Double(id))))
            case .fourCC(let code):
                properties.append(("videocodecid", .number(Double(code.rawValue))))
            }
            properties.append(("videodatarate", .number(kilobits(video.bytes))))
        }
        if let audioHeader, !audio.frames.isEmpty {
            switch audioHeader.codec {
            case .legacy(let id): properties.append(("audiocodecid", .number(Double(id))))
            case .fourCC(let code):
                properties.append(("audiocodecid", .number(Double(code.rawValue))))
            }
            properties.append(("audiodatarate", .number(kilobits(audio.bytes))))
            let rates = [5512.0, 11025, 22050, 44100]
            let rate = config.map { Double($0.sampleRate) } ?? rates[Int(audioHeader.soundRate)]
            properties.append(("audiosamplerate", .number(rate)))
            properties.append(("audiosamplesize", .number(audioHeader.is16Bit ? 16 : 8)))
            let isStereo = config.map { $0.channelConfiguration != 1 } ?? audioHeader.isStereo
            properties.append(("stereo", .boolean(isStereo)))
        }
        return properties + [("encoder", .string("millrace file"))]
    }
}
