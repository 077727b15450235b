// A sink is the target of a relay: an RTMP server that accepts streams, counts and times them, and
// throws them away. It has an event loop of its own, which wakes at once, so that a frame's arrival
// is the time at which its last byte came. A stream that comes again, on another connection, goes on
// with the same account: frames that were due in between and did not come are missing, and frames
// that came twice are counted.

import Glibc
import NIOCore
import NIOPosix
public import SimulationKernel
import Sockets

/// A target for streams that a server pushes.
public final class SinkPool: Sendable {
    /// Port on which the sink listens.
    public let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let state: NIOLoopBound<SinkLoop>
    private let listener: any Channel

    private init(
        _ state: NIOLoopBound<SinkLoop>, on loop: any EventLoop, _ listener: any Channel,
        _ group: MultiThreadedEventLoopGroup
    ) {
        self.group = group
        self.loop = loop
        self.state = state
        self.listener = listener
        port = listener.localAddress?.port ?? 0
    }

    /// Listens, and returns when streams may come.
    ///
    /// - Parameter specs: The streams that the sink expects.
    /// - Throws: An error that names the port if the sink cannot listen.
    public static func listen(
        _ specs: [SinkSpec], options: SinkOptions
    ) async throws -> SinkPool {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        do {
            let state = try await loop.submit {
                NIOLoopBound(SinkLoop(specs, options, eventLoop: loop), eventLoop: loop)
            }.get()
            let listener = try await bind(state, options, on: group)
            loop.execute { state.value.tick() }
            return SinkPool(state, on: loop, listener, group)
        } catch {
            try? await group.shutdownGracefully()
            throw failure(error, options)
        }
    }

    private static func bind(
        _ state: NIOLoopBound<SinkLoop>, _ options: SinkOptions,
        on group: MultiThreadedEventLoopGroup
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.setCloseOnExec()
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.setCloseOnExec()
                    let handler = try state.value.makeHandler()
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: options.host, port: options.port).get()
    }

    private static func failure(_ error: any Error, _ options: SinkOptions) -> any Error {
        let isTaken = (error as? IOError)?.errnoCode == EADDRINUSE
        let why =
            isTaken
            ? "the port is taken; give another one, 0 picks a free one" : connectFailure(error)
        return ViewerError(
            description: "the sink cannot listen on \(options.host):\(options.port): \(why)")
    }

    /// Sets the window: only frames that are planned within it (CLOCK_MONOTONIC) are counted.
    public func setWindow(_ window: Window) {
        loop.execute { self.state.value.setWindow(window) }
    }

    /// Returns what happened since the last call.
    public func interval() async throws -> SinkReport {
        try await loop.submit { self.state.value.interval() }.get()
    }

    /// Stops listening, closes every connection and returns the final report.
    public func stop() async throws -> SinkReport {
        try? await listener.close()
        let report = try await loop.submit { self.state.value.stop() }.get()
        try await group.shutdownGracefully()
        return report
    }
}
