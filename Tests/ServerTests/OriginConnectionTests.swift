import struct HTTPWire.HTTPURL
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOSSL
import Testing

@testable import Server

/// The end of a response of the origin, on an embedded channel.
@Suite struct OriginConnectionTests {
    /// Fetches an object from an origin that sends `response` and closes.
    /// - Parameter isUnclean: Whether TLS's close_notify is missing.
    /// - Returns: The object, and whether the edge has cached it.
    private func fetch(
        _ response: String, isUnclean: Bool
    ) throws -> (object: EdgeObject, isCached: Bool) {
        let configuration = EdgeConfiguration(origin: "https://origin")
        let store = EdgeStore(byteLimit: 1 << 20, objectLimit: 1 << 20)
        let loop = EmbeddedEventLoop()
        let pool = OriginPool(
            configuration, origin: try #require(HTTPURL(origin: configuration.origin)),
            store: store, name: "edge", tls: nil, eventLoop: loop)
        let channel = EmbeddedChannel(loop: loop)
        try channel.pipeline.syncOperations.addHTTPClientHandlers()
        let connection = OriginConnection(pool)
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 443)).wait()
        let target = try EdgeTarget("/a-1.m4s")
        guard case .fetch(let object) = store.look(target, at: 0) else {
            throw EdgeConfigurationError(description: "the store fetches nothing")
        }
        connection.carry(EdgeFetch(object, via: ""))
        try channel.writeInbound(ByteBuffer(string: response))
        if isUnclean { channel.pipeline.fireErrorCaught(NIOSSLError.uncleanShutdown) }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        guard case .hit = store.look(target, at: OriginPool.now) else { return (object, false) }
        return (object, true)
    }

    private let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"

    @Test func `a response that ends with the connection is whole only after close_notify`() throws
    {
        let clean = try fetch(head + "\r\nbody", isUnclean: false)
        #expect(clean.isCached && clean.object.count == 4)
        let cut = try fetch(head + "\r\nbo", isUnclean: true)
        guard case .failed(let failure) = cut.object.state else {
            Issue.record("a response that was cut off counts as whole")
            return
        }
        #expect(failure.status == .badGateway && !cut.isCached)
    }

    @Test func `a response of known length needs no close_notify`() throws {
        let known = try fetch(head + "Content-Length: 4\r\n\r\nbody", isUnclean: true)
        #expect(known.isCached)
        let chunked = try fetch(
            head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", isUnclean: true)
        #expect(chunked.isCached && chunked.object.count == 4)
    }
}
