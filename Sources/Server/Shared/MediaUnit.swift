import Glibc
import Media
@_spi(CustomByteBufferAllocator) import NIOCore
import RTMP

extension Message {
    /// Whether each joining player gets the unit: it is metadata, or a codec's configuration.
    var isKeptForPlayers: Bool {
        switch type {
        case .audio: AudioTagHeader.parse(payload)?.isSequenceHeader ?? false
        case .video: VideoTagHeader.parse(payload)?.isSequenceHeader ?? false
        case .dataAMF0, .dataAMF3: true
        default: false
        }
    }
}

/// One relayed message with its bytes on the wire, made once for all subscribers.
struct MediaUnit: Sendable {
    enum Kind: Sendable {
        case audio
        case video
        case data
    }

    var kind: Kind
    var isKeyFrame = false
    var isSequenceHeader = false
    var isDisposable = false
    /// Number of the track among those of its kind; 0 is the main one, -1 means several at once.
    var track = 0
    var timestamp: UInt32
    /// Payload; it shares storage with `chunks` if the message fits into one chunk.
    var payload: ByteBuffer
    /// The message as chunks on message stream 1.
    var chunks: ByteBuffer
    /// Number of times that the payload was copied when the unit was made.
    private(set) var copies = 0
    /// Times of a message whose deliveries are measured; nil = they are not.
    var sample: DeliverySample?

    static let messageStreamID: UInt32 = 1

    /// Bytes of memory that a unit takes besides its own bytes, so that very many units of one byte
    /// have a cost.
    static let overhead = 256
    /// Whether the payload has storage of its own, because it takes several chunks.
    private var hasOwnPayload = false
    /// Cost of the unit in bytes for a limit.
    var cost: Int {
        let own = hasOwnPayload ? payload.readableBytes : 0
        return chunks.readableBytes + own + Self.overhead
    }

    /// Makes a unit; nil for a message that is not relayed. AMF3 data becomes AMF0, and
    /// `@setDataFrame` is removed.
    /// - Throws: `RTMPError` if the message cannot be written again.
    init?(_ message: Message, writer: ChunkWriter) throws(RTMPError) {
        try self.init(unwritten: message)
        var units = [self]
        _ = Self.write(&units, writer)
        self = units[0]
    }

    /// Makes a unit without its chunks, which `write` makes.
    /// - Throws: `RTMPError` if the message is too long to be written again.
    init?(unwritten message: Message) throws(RTMPError) {
        timestamp = message.timestamp
        payload = message.payload
        chunks = ByteBuffer()
        switch message.type {
        case .audio:
            kind = .audio
            if let header = AudioTagHeader.parse(payload) {
                isSequenceHeader = header.isSequenceHeader
                track = header.partType == nil ? Int(header.trackID) : -1
            }
        case .video:
            kind = .video
            if let header = VideoTagHeader.parse(payload) {
                isSequenceHeader = header.isSequenceHeader
                track = header.partType == nil ? Int(header.trackID) : -1
                // A joining player begins at a key frame of the main video track.
                isKeyFrame = header.isKeyFrame && !header.isSequenceHeader && track <= 0
                isDisposable = header.isDisposable
            }
        case .dataAMF0, .dataAMF3:
            kind = .data
            guard let data = Self.relayedData(message) else { return nil }
            payload = data
        default: return nil
        }
        try ChunkWriter.check(own)
    }

    /// The message as every player gets it.
    private var own: Message {
        message(timestamp: timestamp, messageStreamID: Self.messageStreamID)
    }

    /// Number of bytes of the unit's chunks.
    func encodedLength(_ writer: ChunkWriter) -> Int { writer.encodedLength(own) }

    /// Whether the unit is metadata or a configuration. A stream's cache keeps it for longer than
    /// frames, or not at all.
    private var isBesideFrames: Bool { isSequenceHeader || kind == .data }

    /// Writes the chunks of units into one buffer, and returns that buffer. The units share it, so
    /// that a player gets all of them as they are, and one allocation serves them all. Metadata and
    /// configurations are kept for longer than the others, and get buffers of their own.
    ///
    /// A frame in a cache keeps the whole buffer in memory, with the metadata and configurations
    /// that came with it. If these are more than half of the bytes, each unit gets a buffer of its
    /// own, so that a cache takes at most twice the memory that its limit counts.
    static func write(_ units: inout [MediaUnit], _ writer: ChunkWriter) -> ByteBuffer {
        var (length, lengthBesideFrames) = (0, 0)
        for unit in units {
            let own = unit.encodedLength(writer)
            length += own
            if unit.isBesideFrames { lengthBesideFrames += own }
        }
        let isShared = units.count == 1 || lengthBesideFrames <= length / 2
        var bytes = emptyBuffer(length)
        // A buffer with slices would be copied by the next write, so all is written first.
        let ends = units.map { unit in
            unit.append(to: &bytes, writer)
            return bytes.writerIndex
        }
        var start = bytes.readerIndex
        for (index, end) in zip(units.indices, ends) {
            let length = end - start
            units[index].copies += 1
            if !isShared || units.count > 1 && units[index].isBesideFrames {
                var alone = emptyBuffer(length)
                units[index].append(to: &alone, writer)
                units[index].copies += 1
                units[index].keep(alone, 0..<length, writer)
            } else {
                units[index].keep(bytes, start..<end, writer)
            }
            start = end
        }
        return bytes
    }

    private func append(to bytes: inout ByteBuffer, _ writer: ChunkWriter) {
        // The message was checked when the unit was made, so that it can be written.
        try? writer.write(own, into: &bytes)
    }

    /// Keeps slices of the buffer in which the unit's chunks were written.
    private mutating func keep(_ bytes: ByteBuffer, _ range: Range<Int>, _ writer: ChunkWriter) {
        let length = payload.readableBytes
        chunks = bytes.getSlice(at: range.lowerBound, length: range.count) ?? ByteBuffer()
        hasOwnPayload = length > writer.chunkSize
        if !hasOwnPayload {
            payload = bytes.getSlice(at: range.upperBound - length, length: length) ?? payload
        } else if payload.storageCapacity > 2 * length {
            // A slice of an aggregate message would keep all of the message in memory.
            payload = ByteBuffer(bytes: payload.readableBytesView)
            copies += 1
        }
    }

    /// Returns an empty buffer that takes exactly `length` bytes of memory. A buffer that reserves
    /// its capacity by itself takes the next power of two, and a stream's cache holds hundreds.
    private static func emptyBuffer(_ length: Int) -> ByteBuffer {
        guard length > 0, let memory = malloc(length) else { return ByteBuffer() }
        return ByteBuffer(
            takingOwnershipOf: .init(start: memory, count: length),
            allocator: ByteBufferAllocator(), writerIndex: 0)
    }

    private static func relayedData(_ message: Message) -> ByteBuffer? {
        var payload = message.payload
        if message.type == .dataAMF3, payload.getInteger(at: payload.readerIndex) == UInt8(0) {
            payload.moveReaderIndex(forwardBy: 1)
        }
        var rest = payload
        guard let name = try? AMF0.read(&rest).string else { return nil }
        return name == "@setDataFrame" ? rest : payload
    }

    /// Whether a data unit carries the stream's metadata, which joining players get first.
    var isMetadata: Bool {
        guard kind == .data else { return false }
        var rest = payload
        return (try? AMF0.read(&rest).string) == "onMetaData"
    }

    func message(timestamp: UInt32, messageStreamID: UInt32) -> Message {
        let (chunkStream, type): (UInt32, MessageType) =
            switch kind {
            case .audio: (4, .audio)
            case .video: (6, .video)
            case .data: (5, .dataAMF0)
            }
        return Message(
            chunkStreamID: chunkStream, timestamp: timestamp, type: type,
            messageStreamID: messageStreamID, payload: payload)
    }

    func tag(timestamp: UInt32) -> FLVTag {
        let type: FLVTagType =
            switch kind {
            case .audio: .audio
            case .video: .video
            case .data: .script
            }
        return FLVTag(type: type, timestamp: timestamp, payload: payload)
    }
}
