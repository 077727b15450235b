import NIOCore
import NIOEmbedded
public import NIOSSL

/// TLS for a client's socket that no event loop of NIO owns: bytes in, bytes out, no I/O.
///
/// The session is NIOSSL's handler in a channel without a socket. Everything happens on the thread
/// that makes it.
public final class TLSStream {
    private let channel: EmbeddedChannel
    private var begun = false

    /// - Parameters:
    ///   - context: of `TLSTrust`, shared by the connections of a pool.
    ///   - host: the server's name or address, which its certificate must have.
    public init(_ context: NIOSSLContext, host: String, port: Int) throws {
        channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(TLSTrust.handler(context, host: host))
        // The handler asks its channel for the peer's address, and holds a certificate against it
        // where the host is an address; where it has a name, the name counts alone.
        let address = try? SocketAddress(ipAddress: host, port: port)
        let peer = try address ?? SocketAddress(ipAddress: "127.0.0.1", port: port)
        channel.remoteAddress = peer
        try channel.connect(to: peer).wait()
        channel.remoteAddress = peer
    }

    deinit {
        // A session that is not closed would keep its channel for ever. The peer's good-bye, for which
        // the handler would wait, does not come any more: the time for it is over at once.
        channel.close(promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
    }

    /// Bytes for the socket, the opening ones included; nil where nothing waits.
    public func outgoing() throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            bytes += part.readableBytesView
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// False once either side has said good-bye: nothing goes out any more.
    public var isOpen: Bool { channel.isActive }

    /// Encrypts; what comes of it is in `outgoing`, once the handshake is over.
    public func send(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    /// Takes bytes of the socket and hands on what was in them.
    /// - Throws: `TLSError` where the peer is not trusted, or speaks no TLS.
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
