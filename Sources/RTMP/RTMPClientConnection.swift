public import NIOCore

/// The client's side of an RTMP connection without I/O: bytes in, events out, from the handshake to
/// the end of one stream that is published or played.
///
/// A driver sends `opening`, gives every byte that it reads to `append`, and then performs the
/// events that `next` returns until there are none. A driver that reads chunks itself, as one that
/// only counts media does, uses `receiveHandshake`, `acknowledge` and `receive` instead.
public struct RTMPClientConnection: Sendable {
    public enum Event: Hashable, Sendable {
        case write(ByteBuffer)
        /// Media may be sent, or will come.
        case started(messageStreamID: UInt32)
        /// A message with audio, video or data, or several of them (`aggregate`).
        case media(Message)
        /// The server refused; `code` as in its onStatus or _error.
        case refused(code: String, description: String)
        /// The server says that the stream is over.
        case ended(code: String)
    }

    /// nil once it is over.
    private var handshake: ClientHandshake?
    private var session: ClientSessionStateMachine
    private var reader = ChunkReader()
    /// What `next` returns before it reads on; bounded by what the handshake or one message leads
    /// to.
    private var events: [Event] = []
    /// C0 and C1, to be sent first.
    public let opening: ByteBuffer

    /// - Parameters:
    ///   - chunkSize: of what is sent; announced at once.
    ///   - agent: added to flashVer, so that logs and captures can tell clients apart.
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

    /// Bytes that were read, in any portions.
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

    /// The next event; nil where more bytes are needed.
    public mutating func next() throws(RTMPError) -> Event? {
        while events.isEmpty {
            guard let message = try reader.next() else { return nil }
            if message.type.isMedia { return .media(message) }
            events = try receive(message)
        }
        return events.removeFirst()
    }

    // MARK: For drivers that read chunks themselves

    /// - Returns: what is to be sent, and the bytes that belong to the chunk stream, once the
    ///   handshake is over; nil before, and after.
    public mutating func receiveHandshake(
        _ bytes: ByteBuffer, using generator: inout some RandomNumberGenerator
    ) throws(RTMPError) -> (reply: ByteBuffer, rest: ByteBuffer)? {
        guard let (c2, rest) = try handshake?.receive(bytes, using: &generator) else { return nil }
        handshake = nil
        var reply = c2
        reply.writeImmutableBuffer(try session.start())
        return (reply, rest)
    }

    /// Counts bytes of the chunk stream; returns the acknowledgement to be sent, where one is due.
    public mutating func acknowledge(_ bytes: Int) -> ByteBuffer? { session.received(bytes: bytes) }

    /// Takes any message that is not media.
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

    // MARK: Out

    /// A media or data message on the running stream, as chunks.
    public func encode(_ message: Message) throws(RTMPError) -> ByteBuffer {
        try session.encode(message)
    }

    /// What ends a publication or a playback in good order.
    public mutating func close() throws(RTMPError) -> ByteBuffer { try session.close() }
}
