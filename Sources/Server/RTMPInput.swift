import NIOCore
import RTMP

/// What an RTMP peer has sent after the handshake and the server has not worked on yet.
struct RTMPInput {
    private var reader = ChunkReader()
    /// Parts of an aggregate message that are still to be processed, and that message's length.
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

    /// The next whole message; nil if none has come.
    mutating func next() throws -> Message? { try parts.rest.popFirst() ?? reader.next() }

    /// Puts the media in an aggregate message before what comes after it.
    mutating func split(_ aggregate: Message) throws {
        // No specification has aggregates inside aggregates.
        parts = (
            try aggregate.split().filter { $0.type.isMedia && $0.type != .aggregate }[...],
            aggregate.payload.readableBytes
        )
    }

    /// The peer publishes: its messages may be long.
    mutating func beginStream() { reader.messageLimit = .max }

    /// The peer's stream has ended: what is left of an aggregate message belongs to no stream.
    mutating func endStream() {
        parts = ([], 0)
        reader.messageLimit = ServerLimits.commandBytes
    }

    /// Forgets everything, because the peer is gone.
    mutating func clear() {
        // The received part of an unfinished message belongs to no stream.
        reader = ChunkReader()
        parts = ([], 0)
    }
}
