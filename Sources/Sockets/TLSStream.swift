import NIOCore
import NIOEmbedded
public import NIOSSL

/// TLS for a client's socket that no event loop of NIO owns: it takes bytes and returns bytes,
/// without I/O.
///
/// The session is NIOSSL's handler in a channel without a socket. Everything happens on the thread
/// that makes the stream.
public final class TLSStream {
    private let channel: EmbeddedChannel
    private var begun = false

    /// - Parameters:
    ///   - context: Context from `TLSTrust`, which the connections of a pool share.
    ///   - host: The server's name or address, which the server's certificate must contain.
    public init(_ context: NIOSSLContext, host: String, port: Int) throws {
        channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(TLSTrust.handler(context, host: host))
        // The handler asks its channel for the peer's address. If the host is an address, the
        // handler compares it with the certificate; if the host is a name, only the name counts.
        let address = try? SocketAddress(ipAddress: host, port: port)
        let peer = try address ?? SocketAddress(ipAddress: "127.0.0.1", port: port)
        channel.remoteAddress = peer
        try channel.connect(to: peer).wait()
        channel.remoteAddress = peer
    }

    deinit {
        // A session that is not closed would keep its channel for ever. The peer's close_notify,
        // for which the handler would wait, does not come any more, so the time for it ends at
        // once.
        channel.close(promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
    }

    /// Bytes for the socket, the opening ones included; nil if there are none.
    public func outgoing() throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            bytes += part.readableBytesView
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Whether neither side has sent close_notify; after one has, nothing can be sent.
    public var isOpen: Bool { channel.isActive }

    /// Encrypts `bytes`; once the handshake is over, `outgoing` returns the result.
    public func send(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    /// Decrypts bytes of the socket and hands on their contents.
    /// - Throws: `TLSError` if the peer is not trusted or does not speak TLS.
    public func receive(
        _ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        do {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        } catch {
            throw TLSError(TLSError.explanation(error))
        }
        while let part = try channel.readInbound(as: ByteBuffer.self) {
            try part.withUnsafeReadableBytes(take)
        }
    }
}
