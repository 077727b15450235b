import FoundationEssentials
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Sockets

/// A pull-through HLS cache before an origin, on one event loop: for more cores run more edges.
public final class EdgeServer: Sendable {
    /// The port really bound.
    public let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let core: NIOLoopBound<EdgeCore>

    private init(
        _ group: MultiThreadedEventLoopGroup, _ channel: any Channel, _ core: NIOLoopBound<EdgeCore>
    ) {
        self.group = group
        self.channel = channel
        self.core = core
        port = channel.localAddress?.port ?? 0
    }

    /// Listens, and returns when clients may connect. The origin need not be there yet.
    ///
    /// - Throws: `EdgeConfigurationError`, or `ServerError` for a port that cannot be had.
    public static func start(
        _ configuration: EdgeConfiguration, logger: Logger
    ) async throws -> EdgeServer {
        if let problem = configuration.problem {
            throw EdgeConfigurationError(description: problem)
        }
        guard let origin = OriginAddress(configuration.origin) else {
            throw EdgeConfigurationError(description: "the origin is no http URL")
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let core = try await loop.submit {
            let core = EdgeCore(configuration, origin: origin, eventLoop: loop)
            core.startSweeping()
            return NIOLoopBound(core, eventLoop: loop)
        }.get()
        do {
            let channel = try await ServerBootstrap.listening(
                on: group, congestionControl: configuration.congestionControl,
                writeBuffer: (64 << 10, 256 << 10)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.setCloseOnExec()
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(HTTPRequestDecoder()), EdgeClient(core.value),
                    ])
                }
            }
            .bind(host: configuration.host, port: configuration.port).get()
            let server = EdgeServer(group, channel, core)
            logger.info(
                "edge on \(configuration.host):\(server.port) before \(configuration.origin)")
            return server
        } catch {
            try? await group.shutdownGracefully()
            throw ServerError(error, .http, host: configuration.host, port: configuration.port)
        }
    }

    public func status() async throws -> EdgeStatus {
        let core = core
        return try await channel.eventLoop.submit { core.value.status }.get()
    }

    /// Stops listening, closes all connections and returns when all is down.
    public func stop() async throws {
        try? await channel.close()
        let core = core
        try? await channel.eventLoop.submit { core.value.stop() }.get()
        try await group.shutdownGracefully()
    }
}

/// What the parts of an edge share; bound to its event loop.
final class EdgeCore {
    let store: EdgeStore
    let pool: OriginPool
    /// In Via headers: unlike any other edge's.
    let name: String
    var clients: [ObjectIdentifier: EdgeClient] = [:]
    private let configuration: EdgeConfiguration
    private let eventLoop: any EventLoop
    private var sweeper: RepeatedTask?

    init(_ configuration: EdgeConfiguration, origin: OriginAddress, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        name = "millrace-edge-" + String(UInt32.random(in: 0...(.max)), radix: 36)
        store = EdgeStore(
            byteLimit: configuration.cacheBytes, objectLimit: configuration.objectLimit,
            keeps: configuration.keeps)
        pool = OriginPool(
            configuration, origin: origin, store: store, name: name, eventLoop: eventLoop)
    }

    func startSweeping() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        sweeper = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) {
            _ in bound.value.sweep()
        }
    }

    private func sweep() {
        let now = OriginPool.now
        for client in Array(clients.values) { client.sweep(at: now, configuration) }
        pool.sweep(at: now)
    }

    var status: EdgeStatus {
        var status = EdgeStatus(origin: configuration.origin)
        store.fill(&status)
        status.clients = clients.count
        status.originConnections = pool.connections
        status.queuedFetches = pool.queued
        return status
    }

    var statusJSON: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ((try? encoder.encode(status)).map { String(decoding: $0, as: UTF8.self) } ?? "{}")
            + "\n"
    }

    func stop() {
        sweeper?.cancel()
        pool.stop()
    }
}
