public import NIOCore

/// Assembles messages from a chunk stream that arrives in portions of any size.
///
/// The reader applies Set Chunk Size and Abort at once, and returns them too. Memory is bounded by
/// the bytes that have really arrived, never by a length that a peer claims.
public struct ChunkReader: Sendable {
    /// Largest number of bytes that the partly received messages of all chunk streams may hold
    /// together.
    public static let partialBytesLimit = 32 << 20

    /// Longest message; the reader refuses a longer one at its first chunk.
    public var messageLimit = Int.max
    /// Bytes of the messages that have begun and not ended, plus the bytes that were appended and
    /// not yet read.
    public var unfinishedBytes: Int { partialBytes + input.readableBytes }

    private var decoder = ChunkDecoder()
    /// Payload received so far of each unfinished message, by stream index.
    private var partial: [ByteBuffer] = []
    private var partialBytes = 0
    private var input = ByteBuffer()

    public init() {}

    public var chunkSize: Int { decoder.chunkSize }

    public mutating func append(_ bytes: ByteBuffer) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeImmutableBuffer(bytes)
        }
    }

    /// Returns the next whole message, or nil if more bytes are needed.
    public mutating func next() throws(RTMPError) -> Message? {
        while input.readableBytes > 0 {
            let step: ChunkDecoder.Step?
            do {
                step = try input.withUnsafeReadableBytes { try decoder.step($0) }
            } catch let error as RTMPError {
                throw error
            } catch {
                throw RTMPError(.chunkStream, "\(error)")
            }
            guard let step else {
                release()
                return nil
            }
            if let message = try take(step) { return message }
        }
        input = ByteBuffer()
        return nil
    }

    /// Copies the bytes that were appended and not yet read, if they are a small part of the buffer
    /// that they lie in, so that they do not keep it alive.
    public mutating func compact() {
        guard input.storageCapacity / 4 > input.readableBytes else { return }
        input = ByteBuffer(bytes: input.readableBytesView)
    }

    /// Copies the rest of the input, which is the beginning of a header, so that it does not keep
    /// the large buffer alive that it was read into.
    private mutating func release() {
        guard input.readableBytes < 32, input.storageCapacity > 1024 else { return }
        input = ByteBuffer(bytes: input.readableBytesView)
    }

    private mutating func take(_ step: ChunkDecoder.Step) throws(RTMPError) -> Message? {
        let start = input.readerIndex + step.payloadOffset
        defer { input.moveReaderIndex(forwardBy: step.consumed) }
        while partial.count <= step.stream { partial.append(ByteBuffer()) }
        if step.messageBegins, decoder.header(at: step.stream).messageLength > messageLimit {
            throw RTMPError(
                .limitExceeded,
                "a message of \(decoder.header(at: step.stream).messageLength) bytes before anything is published; at most \(messageLimit) are taken"
            )
        }
        if step.messageBegins && step.messageEnds {
            // The whole payload lies in one chunk: the message is a slice of the input, and nothing
            // is copied.
            return try finish(step.stream, try part(at: start, step.payloadLength))
        }
        if step.messageBegins {
            // No capacity is reserved: otherwise one byte on each of many chunk streams would cost
            // as much memory as whole messages, and the limit would not count it.
            partial[step.stream] = ByteBuffer()
        }
        partialBytes += step.payloadLength
        guard partialBytes <= Self.partialBytesLimit else {
            throw RTMPError(
                .limitExceeded,
                "unfinished messages hold more than \(Self.partialBytesLimit >> 20) MiB")
        }
        partial[step.stream].writeImmutableBuffer(try part(at: start, step.payloadLength))
        guard step.messageEnds else { return nil }
        let payload = partial[step.stream]
        partial[step.stream] = ByteBuffer()
        partialBytes -= payload.readableBytes
        return try finish(step.stream, payload)
    }

    private func part(at start: Int, _ length: Int) throws(RTMPError) -> ByteBuffer {
        guard let part = input.getSlice(at: start, length: length) else {
            throw RTMPError(.chunkStream, "a chunk's payload lies outside of what was read")
        }
        return part
    }

    private mutating func finish(
        _ stream: Int, _ payload: ByteBuffer
    ) throws(RTMPError) -> Message {
        let header = decoder.header(at: stream)
        switch header.type {
        case .setChunkSize:
            guard let size = payload.getInteger(at: payload.readerIndex, as: UInt32.self) else {
                throw RTMPError(.controlMessage, "Set Chunk Size of fewer than 4 bytes")
            }
            try decoder.setChunkSize(size)
        case .abort:
            if let id = payload.getInteger(at: payload.readerIndex, as: UInt32.self),
                let index = decoder.abort(chunkStreamID: id), index < partial.count
            {
                partialBytes -= partial[index].readableBytes
                partial[index] = ByteBuffer()
            }
        default: break
        }
        return Message(
            chunkStreamID: header.chunkStreamID, timestamp: header.timestamp, type: header.type,
            messageStreamID: header.messageStreamID, payload: payload)
    }
}
