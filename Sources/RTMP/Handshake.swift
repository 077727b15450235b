public import NIOCore

/// The server's side of the handshake (RTMP specification 1.0, section 5.2): complex if the
/// client's C1 carries a valid digest, simple otherwise.
public struct ServerHandshake: Sendable {
    private enum State {
        case awaitingC0C1
        case awaitingC2
        case done
    }

    private var state = State.awaitingC0C1
    private var input = ByteBuffer()
    /// Whether the client's digest was valid; the value is final once C1 has arrived.
    public private(set) var isComplex = false

    public init() {}

    public enum Progress: Hashable, Sendable {
        /// More bytes are needed; the caller sends `reply`, which may be empty.
        case pending(reply: ByteBuffer)
        /// The handshake is done; `rest` belongs to the chunk stream.
        case done(reply: ByteBuffer, rest: ByteBuffer)
    }

    public mutating func receive(
        _ bytes: ByteBuffer, using generator: inout some RandomNumberGenerator
    ) throws(RTMPError) -> Progress {
        input.writeImmutableBuffer(bytes)
        var reply = ByteBuffer()
        if case .awaitingC0C1 = state {
            if let version = input.getInteger(at: input.readerIndex, as: UInt8.self) {
                try checkHandshakeVersion(version)
            }
            let length = HandshakeDigest.packetLength
            guard let c1 = input.getBytes(at: input.readerIndex + 1, length: length) else {
                return .pending(reply: reply)
            }
            input.moveReaderIndex(forwardBy: 1 + length)
            answer(c1, into: &reply, using: &generator)
            state = .awaitingC2
        }
        if case .awaitingC2 = state {
            guard input.readableBytes >= HandshakeDigest.packetLength else {
                return .pending(reply: reply)
            }
            // C2 is not checked: clients differ, and nothing depends on its contents.
            input.moveReaderIndex(forwardBy: HandshakeDigest.packetLength)
            state = .done
        }
        let rest = input.slice()
        input = ByteBuffer()
        return .done(reply: reply, rest: rest)
    }

    private mutating func answer(
        _ c1: [UInt8], into reply: inout ByteBuffer,
        using generator: inout some RandomNumberGenerator
    ) {
        var s1 = HandshakeDigest.random(using: &generator)
        s1.replaceSubrange(0..<4, with: [0, 0, 0, 0])
        reply.writeInteger(UInt8(3))
        if let (digest, schema) = HandshakeDigest.find(in: c1, key: HandshakeDigest.playerName) {
            isComplex = true
            s1.replaceSubrange(4..<8, with: [4, 5, 0, 1])
            HandshakeDigest.sign(&s1, schema, key: HandshakeDigest.serverName)
            reply.writeBytes(s1)
            let random = HandshakeDigest.random(using: &generator)
            reply.writeBytes(
                HandshakeDigest.answer(random, to: digest, key: HandshakeDigest.serverKey))
        } else {
            s1.replaceSubrange(4..<8, with: [0, 0, 0, 0])
            reply.writeBytes(s1)
            reply.writeBytes(c1)
        }
    }
}

/// The client's side of the handshake.
public struct ClientHandshake: Sendable {
    /// `complex` signs C1 and C2 as encoders do; `simple` is cheaper, and most servers accept it.
    public enum Mode: String, Hashable, Sendable, Codable {
        case simple
        case complex
    }

    public let mode: Mode
    private var input = ByteBuffer()
    /// Whether the server answered with a valid digest.
    public private(set) var serverSigned = false
    private var c1: [UInt8]

    public init(mode: Mode, using generator: inout some RandomNumberGenerator) {
        self.mode = mode
        c1 = HandshakeDigest.random(using: &generator)
        c1.replaceSubrange(0..<4, with: [0, 0, 0, 0])
        if mode == .complex {
            c1.replaceSubrange(4..<8, with: [9, 0, 124, 2])
            HandshakeDigest.sign(&c1, .digestFirst, key: HandshakeDigest.playerName)
        } else {
            c1.replaceSubrange(4..<8, with: [0, 0, 0, 0])
        }
    }

    /// C0 and C1, which are sent first.
    public var opening: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt8(3))
        buffer.writeBytes(c1)
        return buffer
    }

    /// Processes received bytes; once S0, S1 and S2 have arrived, returns C2 and the bytes that
    /// follow the handshake.
    public mutating func receive(
        _ bytes: ByteBuffer, using generator: inout some RandomNumberGenerator
    ) throws(RTMPError) -> (c2: ByteBuffer, rest: ByteBuffer)? {
        input.writeImmutableBuffer(bytes)
        if let version = input.getInteger(at: input.readerIndex, as: UInt8.self) {
            try checkHandshakeVersion(version)
        }
        let length = HandshakeDigest.packetLength
        guard input.readableBytes >= 1 + 2 * length,
            let s1 = input.getBytes(at: input.readerIndex + 1, length: length)
        else { return nil }
        input.moveReaderIndex(forwardBy: 1 + 2 * length)
        var c2 = ByteBuffer()
        if mode == .complex,
            let (digest, _) = HandshakeDigest.find(in: s1, key: HandshakeDigest.serverName)
        {
            serverSigned = true
            let random = HandshakeDigest.random(using: &generator)
            c2.writeBytes(
                HandshakeDigest.answer(random, to: digest, key: HandshakeDigest.playerKey))
        } else {
            c2.writeBytes(s1)
        }
        let rest = input.slice()
        input = ByteBuffer()
        return (c2, rest)
    }
}

private func checkHandshakeVersion(_ version: UInt8) throws(RTMPError) {
    switch version {
    case 3: return
    case 6, 8:
        throw RTMPError(
            .handshake, "the peer asks for RTMPE (version \(version)); use plain rtmp://")
    default:
        throw RTMPError(.handshake, "the peer's first byte is \(version), not RTMP version 3")
    }
}
