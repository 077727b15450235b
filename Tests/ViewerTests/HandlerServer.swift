import NIOCore
import NIOPosix

/// Runs `body` beside a server on a free port whose connections are a new handler's each.
func withServer(
    of makeHandler: @escaping @Sendable () -> some ChannelInboundHandler,
    _ body: (_ port: Int) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = try await ServerBootstrap(group: group)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(makeHandler())
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    do {
        try await body(server.localAddress?.port ?? 0)
    } catch {
        try? await server.close()
        throw error
    }
    try await server.close()
}
