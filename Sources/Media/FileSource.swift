public import NIOCore

/// Plays an FLV file over and over without a jump at the loop point.
///
/// The whole file is held in memory; copies of a source share it. Times start at 0, whatever the
/// file's first timestamp is. One repetition takes as long as the longer of the two tracks, for
/// both alike, so the tracks stay in step. Each track continues exactly at its end: the delay that
/// B-frames give audio against decode times does not become a pause. Sequence headers, end marks,
/// commands, script data and everything before the first key frame are not frames.
public struct FileSource: MediaSource {
    /// The largest file accepted by default: 1 GiB.
    public static let defaultMaximumSize = 1 << 30

    public let metadata: [(name: String, value: MetadataValue)]
    public let videoSequenceHeader: ByteBuffer?
    public let audioSequenceHeader: ByteBuffer?
    public let nalUnitLengthSize: Int
    /// Duration of one repetition of the file, in nanoseconds.
    public let loopNanoseconds: Int64
    /// Frames of one repetition, at least 1.
    public var frameCount: Int { video.frames.count + audio.frames.count }

    private var video: Cursor
    private var audio: Cursor

    /// Reads the file at `path`.
    /// - Parameter maximumSize: Largest size in bytes.
    /// - Throws: `MediaError`: `.fileUnreadable`, `.tooLarge`, `.notFLV`, `.invalidValue`,
    ///   `.unsupported` (encrypted, or a codec configuration that changes midway) or `.empty`.
    public init(path: String, maximumSize: Int = defaultMaximumSize) throws {
        var loader = FileSourceLoader()
        var file = try RegularFile(path: path)
        guard file.size <= maximumSize else {
            throw MediaError(
                .tooLarge,
                "\(path) has \(file.size) bytes, the limit is \(maximumSize); cut it shorter")
        }
        var left = maximumSize
        while let chunk = try file.read(), left > 0 {
            left -= chunk.readableBytes
            try loader.append(chunk)
        }
        try self.init(loader: &loader)
    }

    /// Plays an FLV file that is in memory already.
    /// - Throws: The errors of `init(path:maximumSize:)`, except those about files.
    public init(flv: ByteBuffer) throws {
        var loader = FileSourceLoader()
        try loader.append(flv)
        try self.init(loader: &loader)
    }

    private init(loader: inout FileSourceLoader) throws {
        let loaded = try loader.finish()
        video = Cursor(frames: loaded.video)
        audio = Cursor(frames: loaded.audio)
        loopNanoseconds = loaded.loopNanoseconds
        videoSequenceHeader = loaded.videoSequenceHeader
        audioSequenceHeader = loaded.audioSequenceHeader
        nalUnitLengthSize = loaded.nalUnitLengthSize
        metadata = loaded.metadata
    }

    /// Returns the frame with the lowest decode time; video comes first if both times are equal.
    public mutating func next() -> SourceFrame? {
        let videoTime = video.nextNanoseconds(loop: loopNanoseconds)
        let audioTime = audio.nextNanoseconds(loop: loopNanoseconds)
        if let time = videoTime, time <= audioTime ?? .max {
            return frame(video.advance(), kind: .video, dts: time)
        }
        guard let time = audioTime else { return nil }
        return frame(audio.advance(), kind: .audio, dts: time)
    }

    /// Returns the same frame as `next()`: a file's payloads are complete.
    public mutating func nextShared() -> SourceFrame? { next() }

    private func frame(
        _ frame: FileSourceLoader.Frame, kind: SourceFrame.Kind, dts: Int64
    ) -> SourceFrame {
        SourceFrame(
            kind: kind, dtsNanoseconds: dts, timestamp: timestamp(ofNanoseconds: dts, start: 0),
            payload: frame.payload, isKeyFrame: frame.isKeyFrame)
    }

    /// A position in one endlessly repeated track.
    private struct Cursor: Sendable {
        let frames: [FileSourceLoader.Frame]
        private var position = 0
        private var repetition: Int64 = 0

        init(frames: [FileSourceLoader.Frame]) { self.frames = frames }

        func nextNanoseconds(loop: Int64) -> Int64? {
            guard position < frames.count else { return nil }
            return repetition * loop + frames[position].milliseconds * 1_000_000
        }

        mutating func advance() -> FileSourceLoader.Frame {
            let frame = frames[position]
            position += 1
            if position == frames.count {
                position = 0
                repetition += 1
            }
            return frame
        }
    }
}
