import NIOCore
import RTMP

/// Bytes and messages that an RTMP peer has sent after the handshake and that the server has not
/// processed yet.
struct RTMPInput {
    private var reader = ChunkReader()
    /// Parts of an aggregate message that are still to be processed, and the length of that message
    /// in bytes.
    private var parts: (rest: ArraySlice<Message>, bytes: Int) = ([], 0)
    /// Bytes of unfinished messages at the last count.
    private var countedBytes = 0

    init() { reader.messageLimit = ServerLimits.commandBytes }

    /// Counts the bytes of unfinished messages. Returns false if all connections together hold too
    /// much.
    mutating func count(in admissions: Admissions) -> Bool {
        let bytes = reader.unfinishedBytes + (parts.rest.isEmpty ? 0 : parts.bytes)
        let isFair = admissions.hold(bytes, before: countedBytes)
        countedBytes = bytes
        return isFair
    }

    mutating func append(_ bytes: ByteBuffer) { reader.append(bytes) }

    /// Whether nothing of a message has arrived whose rest is still to come.
    var isBetweenMessages: Bool { reader.unfinishedBytes == 0 }

    /// Returns the next complete message; nil if none has arrived.
    mutating func next() throws -> Message? {
        guard let part = parts.rest.popFirst() else { return try reader.next() }
        // An empty slice would keep all parts, and the bytes that they were read into.
        if parts.rest.isEmpty { parts = ([], 0) }
        return part
    }

    /// Frees the buffer that the bytes were read into if few of them are left.
    mutating func compact() { reader.compact() }

    /// Queues the media messages of an aggregate message before the messages that follow it.
    mutating func split(_ aggregate: Message) throws {
        // No specification has aggregates inside aggregates.
        parts = (
            try aggregate.split().filter { $0.type.isMedia && $0.type != .aggregate }[...],
            aggregate.payload.readableBytes
        )
    }

    /// Removes the limit on the length of a message, because the peer now publishes.
    mutating func beginStream() { reader.messageLimit = .max }

    /// Discards the rest of an aggregate message, which belongs to no stream after the peer's
    /// stream has ended, and limits the length of a message again.
    mutating func endStream() {
        parts = ([], 0)
        reader.messageLimit = ServerLimits.commandBytes
    }

    /// Discards everything, because the peer is gone.
    mutating func clear() {
        // The received part of an unfinished message belongs to no stream.
        reader = ChunkReader()
        parts = ([], 0)
    }
}
