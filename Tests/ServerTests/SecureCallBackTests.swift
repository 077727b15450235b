import NIOCore
import NIOPosix
import RTMP
import Sockets
import TestServer
import TestSupport
import Testing

@testable import Server

/// Call-backs use TLS, and the service that decides must be the intended one.
@Suite(.enabled(if: Shell.has("openssl"), "apt-get install openssl"), .timeLimit(.minutes(1)))
struct SecureCallBackTests {
    /// A service that allows everything.
    private final class Service: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var request = ""

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            request += String(buffer: unwrapInboundIn(data))
            guard request.hasSuffix("}") else { return }
            let answer = ByteBuffer(string: "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
    }

    @Test(arguments: [true, false]) func theServiceIsVerified(isKnown: Bool) async throws {
        let authority = try await TestAuthority()
        let files = try await authority.issue()
        let identity = try TLSIdentity(
            TLSFiles(certificate: files.certificate, key: files.key))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let service = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(identity.handler(), Service())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        try await withServer({
            $0.access.hook = "https://127.0.0.1:\(service.localAddress?.port ?? 0)/"
            if isKnown { $0.access.hookTrust = TLSTrust(authorities: authority.authority) }
        }) { server in
            let peer = try await RTMPPeer(server)
            try await peer.send(
                Command(
                    "connect", transactionID: 1, [.object([.init("app", .string("live"))])]
                ).message())
            #expect(try await peer.command(isKnown ? "_result" : "_error") != nil)
        }
        try await service.close()
        try await group.shutdownGracefully()
    }
}
