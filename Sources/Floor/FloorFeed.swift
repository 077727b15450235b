import Media
import NIOCore
import RTMP

/// The messages of one flush as chunks, which are the same bytes for every player.
struct FloorBatch: Sendable {
    var bytes = ByteBuffer()
    /// Video frames in the batch.
    var frames = 0
    /// Offset of the first message at which a player may begin; nil if there is none.
    var beginning: Int?
    /// Video frames from `beginning` on.
    var framesFromBeginning = 0
}

/// The schedule of one stream and the batch that is sent next. The feed has no clock.
struct FloorFeed: Sendable {
    /// Message stream of everything that players get. Their own commands must use it, too.
    static let messageStreamID: UInt32 = 1
    /// Largest number of messages in a batch, which bounds the memory for a strange source.
    private static let batchLimit = 65_536

    /// Metadata and codec configurations, which each player gets first.
    let headers: ByteBuffer
    private let stream: FloorStream
    private let writer: ChunkWriter
    private let hasVideo: Bool
    /// Nanoseconds between two flushes; 0 = a flush for each video frame.
    private let flushNanoseconds: Int64
    private var source: SyntheticSource
    private var upcoming: SourceFrame?
    private var frameNumber: UInt64 = 0
    private var flushes: Int64 = 0
    /// Time of the first frame; nil before the start.
    private var origin: Int64?
    private var prepared = FloorBatch()
    /// Time at which the prepared batch is due; nil before the start, and after a fault.
    private(set) var dueNanoseconds: Int64?
    /// Reason why the stream has ended; nil while it goes on.
    private(set) var fault: String?

    /// - Parameter source: a fresh source of the stream's spec. Copies of one source share memory.
    /// - Throws: `RTMPError` if a header is too long for a message.
    init(
        _ stream: FloorStream, source: SyntheticSource, configuration: FloorConfiguration
    ) throws {
        self.stream = stream
        self.source = source
        self.source.firstGroupFrames = stream.firstGroupFrames
        writer = ChunkWriter(chunkSize: configuration.chunkSize)
        hasVideo = source.videoSequenceHeader != nil
        let milliseconds = min(max(configuration.flushIntervalMilliseconds, 0), 60_000)
        flushNanoseconds = Int64(milliseconds) * 1_000_000
        headers = try Self.headers(of: source, writer)
    }

    private static func headers(
        of source: SyntheticSource, _ writer: ChunkWriter
    ) throws -> ByteBuffer {
        var metadata = ByteBuffer()
        AMF0.write(.string("onMetaData"), into: &metadata)
        let properties = source.metadata.map { entry -> AMFValue.Property in
            let value: AMFValue =
                switch entry.value {
                case .number(let number): .number(number)
                case .string(let string): .string(string)
                case .boolean(let flag): .boolean(flag)
                }
            return .init(entry.name, value)
        }
        AMF0.write(.ecmaArray(properties), into: &metadata)
        var bytes = ByteBuffer()
        try writer.write(message(.dataAMF0, 0, metadata), into: &bytes)
        if let header = source.videoSequenceHeader {
            try writer.write(message(.video, 0, header), into: &bytes)
        }
        if let header = source.audioSequenceHeader {
            try writer.write(message(.audio, 0, header), into: &bytes)
        }
        return bytes
    }

    private static func message(
        _ type: MessageType, _ timestamp: UInt32, _ payload: ByteBuffer
    ) -> Message {
        let chunkStream: UInt32 = type == .audio ? 4 : type == .video ? 6 : 5
        return Message(
            chunkStreamID: chunkStream, timestamp: timestamp, type: type,
            messageStreamID: messageStreamID, payload: payload)
    }

    /// Fixes the schedule; a second call changes nothing.
    ///
    /// - Parameter start: the shared start time on CLOCK_MONOTONIC.
    mutating func begin(atNanoseconds start: Int64) {
        guard origin == nil else { return }
        // With these limits no sum with a time of the schedule overflows.
        let limit = Int64.max / 4
        origin = min(max(start, 0), limit) &+ min(max(stream.phaseNanoseconds, 0), limit)
        upcoming = source.next()
        prepare()
    }

    /// Returns the batch that is due, and prepares the next one. The batch may be empty.
    mutating func take() -> FloorBatch {
        let batch = prepared
        prepared = FloorBatch()
        prepare()
        return batch
    }

    private mutating func prepare() {
        guard let origin, fault == nil else {
            dueNanoseconds = nil
            return
        }
        do {
            let limit = try flushNanoseconds > 0 ? merged(origin) : single(origin)
            dueNanoseconds = limit.map { origin &+ $0 }
        } catch {
            fault = "stream \(stream.name) ended: \(error)"
            dueNanoseconds = nil
        }
    }

    /// Prepares the messages up to the next video frame. Returns that frame's time from the start.
    private mutating func single(_ origin: Int64) throws -> Int64? {
        for _ in 0..<Self.batchLimit {
            guard let frame = upcoming else { return nil }
            upcoming = source.next()
            try append(frame, origin)
            if frame.kind == .video || !hasVideo { return frame.dtsNanoseconds }
        }
        return upcoming?.dtsNanoseconds
    }

    /// Prepares the messages of one flush interval. Returns the interval's end, from the start.
    private mutating func merged(_ origin: Int64) throws -> Int64? {
        let end = flushes &* flushNanoseconds
        flushes &+= 1
        for _ in 0..<Self.batchLimit {
            guard let frame = upcoming else { return nil }
            guard frame.dtsNanoseconds <= end else { break }
            upcoming = source.next()
            try append(frame, origin)
        }
        return end
    }

    private mutating func append(_ frame: SourceFrame, _ origin: Int64) throws {
        var frame = frame
        let place = prepared.bytes.readableBytes
        if frame.kind == .video {
            // The wait for the flush is the sender's own delay, so the frame counts as handed over
            // at its intended time.
            let stamp = FrameStamp(
                streamID: stream.streamID, frameNumber: frameNumber,
                intendedNanoseconds: origin &+ frame.dtsNanoseconds)
            frame.stamp(stamp, nalUnitLengthSize: source.nalUnitLengthSize)
            frameNumber &+= 1
            if frame.isKeyFrame, prepared.beginning == nil { prepared.beginning = place }
            prepared.frames += 1
            if prepared.beginning != nil { prepared.framesFromBeginning += 1 }
        } else if !hasVideo, prepared.beginning == nil {
            prepared.beginning = place
        }
        try writer.write(
            Self.message(
                frame.kind == .video ? .video : .audio, frame.timestamp, frame.payload),
            into: &prepared.bytes)
    }
}
