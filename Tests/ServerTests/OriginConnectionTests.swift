import Glibc
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
    /// - Parameters:
    ///   - error: Error of the connection before its end; nil = it ends in order.
    ///   - wan: WAN to the origin.
    /// - Returns: The object, and whether the edge has cached it.
    private func fetch(
        _ response: String, error: (any Error)? = nil, wan: EdgeConfiguration.WAN? = nil
    ) throws -> (object: EdgeObject, isCached: Bool) {
        var configuration = EdgeConfiguration(origin: "https://origin")
        configuration.wan = wan
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
        loop.advanceTime(by: .seconds(1))
        try channel.writeInbound(ByteBuffer(string: response))
        if let error { channel.pipeline.fireErrorCaught(error) }
        try? channel.close().wait()
        loop.advanceTime(by: .seconds(1))
        guard case .hit = store.look(target, at: OriginPool.now) else { return (object, false) }
        return (object, true)
    }

    private let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"

    @Test func `a response that ends with the connection is whole only after close_notify`() throws
    {
        let clean = try fetch(head + "\r\nbody")
        #expect(clean.isCached && clean.object.count == 4)
        let cut = try fetch(head + "\r\nbo", error: NIOSSLError.uncleanShutdown)
        guard case .failed(let failure) = cut.object.state else {
            Issue.record("a response that was cut off counts as whole")
            return
        }
        #expect(failure.status == .badGateway && !cut.isCached)
    }

    @Test func `a response of known length needs no close_notify`() throws {
        let known = try fetch(
            head + "Content-Length: 4\r\n\r\nbody", error: NIOSSLError.uncleanShutdown)
        #expect(known.isCached)
        let chunked = try fetch(
            head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            error: NIOSSLError.uncleanShutdown)
        #expect(chunked.isCached && chunked.object.count == 4)
    }

    @Test func `a response without a body needs no close_notify`() throws {
        let none = try fetch(
            "HTTP/1.1 204 No Content\r\n\r\n", error: NIOSSLError.uncleanShutdown,
            wan: EdgeConfiguration.WAN(delayNanoseconds: 1))
        #expect(none.object.state == .whole)
    }

    @Test func `a connection that breaks while its bytes cross the WAN ends no response`() throws {
        let wan = EdgeConfiguration.WAN(delayNanoseconds: 1)
        let whole = try fetch(head + "\r\nbody", wan: wan)
        #expect(whole.isCached && whole.object.count == 4)
        let reset = IOError(errnoCode: ECONNRESET, reason: "read")
        let broken = try fetch(head + "\r\nbo", error: reset, wan: wan)
        #expect(broken.object.isFinished && broken.object.state != .whole && !broken.isCached)
    }
}
