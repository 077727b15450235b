import NIOCore
import NIOPosix
import Sockets

extension ServerBootstrap {
    /// Largest number of bytes that one read takes from a socket.
    private static let readByteLimit = 16 << 10

    /// Makes a listener as every listener of the stack is made: with descriptors that children do
    /// not inherit, without Nagle's algorithm, and with the requested congestion control.
    /// - Parameters:
    ///   - congestionControl: Algorithm; nil = the system's.
    ///   - writeBuffer: Unsent bytes at which a connection counts as writable again, and as full.
    static func listening(
        on group: any EventLoopGroup, congestionControl: String?,
        writeBuffer: (low: Int, high: Int)
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.setCloseOnExec()
                guard let congestionControl else {
                    return channel.eventLoop.makeSucceededVoidFuture()
                }
                return CongestionControl(congestionControl).apply(to: channel)
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            // A connection keeps its buffers for reading, unless it uses that of its loop
            // (`ReadBuffer`). A usual frame fits into one of them.
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 64, initial: 2048, maximum: readByteLimit)
            )
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(low: writeBuffer.low, high: writeBuffer.high))
    }
}
