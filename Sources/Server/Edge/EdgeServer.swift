import FoundationEssentials
import struct HTTPWire.HTTPURL
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
public import ServiceLifecycle
import Sockets

/// A pull-through HLS cache in front of an origin. It runs on one event loop; to use more cores,
/// run more edges.
public final class EdgeServer: Service {
    /// Port that the edge listens on; it differs from the configured port if that is 0.
    public let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let core: NIOLoopBound<EdgeCore>
    private let identity: TLSIdentity?
    private let logger: Logger

    private init(
        _ group: MultiThreadedEventLoopGroup, _ channel: any Channel,
        _ core: NIOLoopBound<EdgeCore>, _ identity: TLSIdentity?, _ logger: Logger
    ) {
        self.identity = identity
        self.logger = logger
        self.group = group
        self.channel = channel
        self.core = core
        port = channel.localAddress?.port ?? 0
    }

    /// Starts an edge and returns when clients may connect. The origin need not run yet.
    ///
    /// - Throws: `EdgeConfigurationError`, `ServerConfigurationError` for the token's file,
    ///   `TLSError` for files of TLS, or `ServerError` for a port that cannot be bound.
    public static func start(
        _ configuration: EdgeConfiguration, logger: Logger
    ) async throws -> EdgeServer {
        if let problem = configuration.problem {
            throw EdgeConfigurationError(description: problem)
        }
        guard let origin = HTTPURL(origin: configuration.origin) else {
            throw EdgeConfigurationError(description: "the origin is no http URL")
        }
        let identity = try configuration.tls.map { try TLSIdentity($0) }
        let trust = origin.isSecure ? try configuration.trust.context() : nil
        let gate = try APIGate(token: configuration.apiToken, file: configuration.apiTokenFile)
        let admissions = Admissions(configuration.limits, logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let core = try await loop.submit {
            let core = EdgeCore(
                configuration, origin: origin, trust: trust, gate: gate, admissions: admissions,
                eventLoop: loop)
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
                    let place = try admissions.place(for: channel)
                    if let identity {
                        try channel.pipeline.syncOperations.addHandler(identity.handler())
                    }
                    try channel.pipeline.syncOperations.addHandlers([
                        HTTPRequestGuard.decoder(), HTTPRequestGuard(),
                        EdgeClient(core.value, place),
                    ])
                }
            }
            .bind(host: configuration.host, port: configuration.port).get()
            let server = EdgeServer(group, channel, core, identity, logger)
            logger.info(
                "edge on \(configuration.host):\(server.port) before \(configuration.origin)")
            return server
        } catch {
            try? await group.shutdownGracefully()
            throw ServerError(
                error, identity == nil ? .http : .https, host: configuration.host,
                port: configuration.port)
        }
    }

    /// Reads the certificate and the key again, for new connections. If the files cannot be used,
    /// the error is logged and the old certificate stays in use.
    public func reload() {
        guard let identity else { return }
        do {
            try identity.reload()
            logger.notice("the certificate was read again, for new connections")
        } catch {
            logger.error("the old certificate stays in use: \(error)")
        }
    }

    /// Returns the edge's statistics since its start.
    public func status() async throws -> EdgeStatus {
        let core = core
        return try await channel.eventLoop.submit { core.value.status }.get()
    }

    /// Serves until the service group shuts down or the task is cancelled, and then stops.
    public func run() async throws {
        try? await gracefulShutdown()
        logger.info("stopping")
        try await stop()
    }

    /// Stops listening, closes all connections and returns when everything has ended.
    public func stop() async throws {
        try? await channel.close()
        let core = core
        try? await channel.eventLoop.submit { core.value.stop() }.get()
        try await group.shutdownGracefully()
    }
}

/// State that the parts of an edge share; it is bound to the edge's event loop.
final class EdgeCore {
    let store: EdgeStore
    let pool: OriginPool
    /// Name in Via headers; it has a random part, so that edges have different names.
    let name: String
    var clients: [ObjectIdentifier: EdgeClient] = [:]
    /// Access to the status.
    let gate: APIGate
    private let admissions: Admissions
    private let configuration: EdgeConfiguration
    private let eventLoop: any EventLoop
    private var sweeper: RepeatedTask?

    init(
        _ configuration: EdgeConfiguration, origin: HTTPURL, trust: NIOSSLContext? = nil,
        gate: APIGate, admissions: Admissions = Admissions(.none), eventLoop: any EventLoop
    ) {
        self.gate = gate
        self.admissions = admissions
        self.configuration = configuration
        self.eventLoop = eventLoop
        name = "millrace-edge-" + String(UInt32.random(in: 0...(.max)), radix: 36)
        store = EdgeStore(
            byteLimit: configuration.cacheBytes, objectLimit: configuration.objectLimit,
            keeps: configuration.keeps)
        pool = OriginPool(
            configuration, origin: origin, store: store, name: name, tls: trust,
            eventLoop: eventLoop)
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
        status.refusedConnections = admissions.refused.values.reduce(0, +)
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

    var metrics: String { EdgeMetrics.text(status, refused: admissions.refused) }

    func stop() {
        sweeper?.cancel()
        pool.stop()
    }
}
