import NIOCore

/// Reads a chunk stream without keeping media: it counts audio, video and data payload, and returns
/// only protocol control and command messages. A load viewer needs no more than that, and the state
/// takes a few bytes.
public struct ChunkCounter: Sendable {
    public private(set) var videoBytes = 0
    public private(set) var audioBytes = 0
    public private(set) var videoMessages = 0
    public private(set) var audioMessages = 0
    /// Longest control or command message; a longer one ends the session.
    public static let messageLimit = 64 << 10

    private var decoder = ChunkDecoder()
    /// The unfinished control or command message and its stream index. Senders do not interleave
    /// such messages.
    private var partial: (stream: Int, payload: ByteBuffer)?

    public init() {}

    /// Reads on in `bytes` and hands each message that is not media to `body`. Returns the number
    /// of bytes used: the caller must pass the rest (fewer than 18 bytes) again, in front of the
    /// next bytes.
    public mutating func consume(
        _ bytes: UnsafeRawBufferPointer, _ body: (Message) throws -> Void
    ) throws -> Int {
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            guard let step = try decoder.step(rest) else { break }
            let header = decoder.header(at: step.stream)
            switch header.type {
            case .video:
                videoBytes += step.payloadLength
                if step.messageEnds { videoMessages += 1 }
            case .audio:
                audioBytes += step.payloadLength
                if step.messageEnds { audioMessages += 1 }
            case .setChunkSize, .abort, .acknowledgement, .userControl, .windowAcknowledgementSize,
                .setPeerBandwidth, .commandAMF0, .commandAMF3:
                let payload = rest[step.payloadOffset..<step.payloadOffset + step.payloadLength]
                if let message = try collect(
                    step, header, UnsafeRawBufferPointer(rebasing: payload))
                {
                    try body(message)
                }
            // Data, aggregates, shared objects and messages of unknown types are skipped.
            default: break
            }
            offset += step.consumed
        }
        return offset
    }

    private mutating func collect(
        _ step: ChunkDecoder.Step, _ header: ChunkDecoder.Header, _ payload: UnsafeRawBufferPointer
    ) throws(RTMPError) -> Message? {
        var buffer = ByteBuffer()
        if let partial, partial.stream == step.stream, !step.messageBegins {
            buffer = partial.payload
        }
        buffer.writeBytes(payload)
        guard buffer.readableBytes <= Self.messageLimit else {
            throw RTMPError(.limitExceeded, "a command message of more than 64 KiB")
        }
        guard step.messageEnds else {
            partial = (step.stream, buffer)
            return nil
        }
        partial = nil
        if header.type == .setChunkSize,
            let size = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self)
        {
            try decoder.setChunkSize(size)
        } else if header.type == .abort,
            let id = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self)
        {
            _ = decoder.abort(chunkStreamID: id)
        }
        return Message(
            chunkStreamID: header.chunkStreamID, timestamp: header.timestamp, type: header.type,
            messageStreamID: header.messageStreamID, payload: buffer)
    }
}
