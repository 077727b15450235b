public import NIOCore

/// The client's side of an RTMP connection, without I/O. It turns bytes into events, from the
/// handshake to the end of one stream that is published or played.
///
/// A driver sends `opening`, passes every byte that it reads to `append`, and performs the events
/// that `next` returns until it returns nil. A driver that reads chunks itself, for example because
/// it only counts media, uses `receiveHandshake`, `acknowledge` and `receive` instead.
public struct RTMPClientConnection: Sendable {
    /// An action for the driver, or news for it.
    public enum Event: Hashable, Sendable {
        /// The driver has to send these bytes.
        case write(ByteBuffer)
        /// The stream has started: media may be sent, or will arrive.
        case started(messageStreamID: UInt32)
        /// A message with audio, video or data, or an aggregate of such messages.
        case media(Message)
        /// The server refused the request; `code` is that of its `onStatus` or `_error`.
        case refused(code: String, description: String)
        /// The server has reported the end of the stream.
        case ended(code: String)
    }

    /// State of the handshake; nil once it is over.
    private var handshake: ClientHandshake?
    private var session: ClientSessionStateMachine
    private var reader = ChunkReader()
    /// Events that `next` returns before it reads another message. Their number is limited, because
    /// they come from the handshake or one message.
    private var events: [Event] = []
    /// C0 and C1, which the driver sends first.
    public let opening: ByteBuffer

    /// - Parameters:
    ///   - chunkSize: Chunk size of sent messages in bytes; it is announced after the handshake.
    ///   - agent: Text added to `flashVer`, so that logs and captures can distinguish clients.
    public init(
        url: RTMPURL, purpose: ClientSessionStateMachine.Purpose, mode: ClientHandshake.Mode,
        chunkSize: Int = 4096, agent: String = "millrace",
        using generator: inout some RandomNumberGenerator
    ) {
        let handshake = ClientHandshake(mode: mode, using: &generator)
        opening = handshake.opening
        self.handshake = handshake
        session = ClientSessionStateMachine(
            url: url, purpose: purpose, chunkSize: chunkSize, agent: agent)
    }

    public var isInHandshake: Bool { handshake != nil }

    // MARK: Bytes in, events out

    /// Appends bytes that were read, in portions of any size.
    /// - Throws: `RTMPError` if the handshake fails.
    public mutating func append(
        _ bytes: ByteBuffer, using generator: inout some RandomNumberGenerator
    ) throws(RTMPError) {
        var bytes = bytes
        if isInHandshake {
            guard let (reply, rest) = try receiveHandshake(bytes, using: &generator) else { return }
            events.append(.write(reply))
            bytes = rest
        }
        guard bytes.readableBytes > 0 else { return }
        if let acknowledgement = acknowledge(bytes.readableBytes) {
            events.append(.write(acknowledgement))
        }
        reader.append(bytes)
    }

    /// Returns the next event; nil if more bytes are needed.
    /// - Throws: `RTMPError` for bytes that are not valid RTMP.
    public mutating func next() throws(RTMPError) -> Event? {
        while events.isEmpty {
            guard let message = try reader.next() else { return nil }
            if message.type.isMedia { return .media(message) }
            events = try receive(message)
        }
        return events.removeFirst()
    }

    // MARK: For drivers that read chunks themselves

    /// Passes bytes to the handshake.
    /// - Returns: When the handshake ends, the bytes to send and the bytes that already belong to
    ///   the chunk stream; nil before that and afterwards.
    public mutating func receiveHandshake(
        _ bytes: ByteBuffer, using generator: inout some RandomNumberGenerator
    ) throws(RTMPError) -> (reply: ByteBuffer, rest: ByteBuffer)? {
        guard let (c2, rest) = try handshake?.receive(bytes, using: &generator) else { return nil }
        handshake = nil
        var reply = c2
        reply.writeImmutableBuffer(try session.start())
        return (reply, rest)
    }

    /// Counts bytes of the chunk stream, and returns the acknowledgement to send; nil if none is
    /// due.
    public mutating func acknowledge(_ bytes: Int) -> ByteBuffer? { session.received(bytes: bytes) }

    /// Processes a message that is not media, and returns the events to perform.
    public mutating func receive(_ message: Message) throws(RTMPError) -> [Event] {
        try session.receive(message).map { action in
            switch action {
            case .write(let bytes): .write(bytes)
            case .started(let id): .started(messageStreamID: id)
            case .refused(let code, let description):
                .refused(code: code, description: description)
            case .ended(let code): .ended(code: code)
            }
        }
    }

    // MARK: Sending

    /// Writer of the chunks of media and data messages of the running stream. It stays the same while
    /// the stream runs, so a driver that writes many messages may keep a copy.
    public var mediaWriter: ChunkWriter { session.mediaWriter }

    /// Returns the bytes that end a publication or playback in order.
    public mutating func close() throws(RTMPError) -> ByteBuffer { try session.close() }
}
