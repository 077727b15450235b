import HLS
public import Logging
import NIOCore
import NIOPosix
import RTMP
public import ServiceLifecycle
package import SimulationKernel
import Sockets
package import Statistics

/// The embedded stack: it takes RTMP, and serves RTMP, HTTP-FLV and HLS.
public final class RelayServer: Service {
    /// Ports that are really bound.
    public let rtmpPort: Int
    public let httpPort: Int?
    public let rtmpsPort: Int?
    public let httpsPort: Int?
    public let apiPort: Int?
    private let loops: ServerLoops
    private let connections: AcceptedConnections
    private let channels: [any Channel]

    private var hubs: [StreamHub] { connections.hubs }
    private var ladders: LadderController? { connections.ladders }
    var admissions: Admissions { connections.admissions }

    private init(
        loops: ServerLoops, connections: AcceptedConnections,
        channels: [ServerError.Listener: any Channel]
    ) {
        self.loops = loops
        self.connections = connections
        rtmpPort = channels[.rtmp]?.localAddress?.port ?? 0
        httpPort = channels[.http]?.localAddress?.port
        rtmpsPort = channels[.rtmps]?.localAddress?.port
        httpsPort = channels[.https]?.localAddress?.port
        apiPort = channels[.api]?.localAddress?.port
        self.channels = Array(channels.values)
    }

    /// Listens, and returns when peers may connect.
    ///
    /// - Throws: `ServerError` for a port that cannot be bound, `LadderConfigurationError` for a
    ///   ladder that cannot be made, `HLSConfigurationError`, `ServerConfigurationError` for files
    ///   of keys, `TLSError` for a certificate or key that cannot be used.
    public static func start(
        _ configuration: ServerConfiguration, logger: Logger
    ) async throws -> RelayServer {
        try check(configuration)
        let identity = try configuration.tls.map { try TLSIdentity($0) }
        if configuration.pushes.contains(where: \.url.isSecure) {
            _ = try configuration.pushTrust.context()
        }
        let admissions = Admissions(configuration.limits, logger: logger)
        let directory = StreamDirectory(configuration, admissions: admissions)
        let ladders = try makeLadders(configuration, directory, logger)
        let loops = ServerLoops(configuration)
        let access: AccessPolicy
        do {
            access = try AccessPolicy(
                configuration.access, streamKeys: configuration.streamKeys,
                admissions: admissions, group: loops.media)
        } catch {
            try? await loops.shutDown()
            throw error
        }
        let origin = configuration.hls.map {
            HLSOrigin($0, limits: configuration.limits, logger: logger)
        }
        let delays = DelayRecorder()
        let senders = configuration.senders.map {
            SenderPool($0) { admissions.refuse(.senderThreads) }
        }
        let hubs = loops.media.makeIterator().enumerated().map { index, eventLoop in
            StreamHub(
                eventLoop: eventLoop, configuration: configuration, origin: origin,
                delays: delays, senders: senders
            ) { name in
                owner(of: name, among: configuration.threads) == index
            }
        }
        let pushes = PushTable(configuration.pushes)
        for (index, hub) in hubs.enumerated() {
            hub.pushes = PushSessions(pushes, at: hub, logger: logger) { target in
                owner(of: target, among: configuration.threads) == index
            }
            hub.eventLoop.execute { hub.startSweeping() }
        }
        let apiHub = loops.api.map {
            StreamHub(eventLoop: $0.next(), configuration: configuration)
        }
        apiHub?.eventLoop.execute { apiHub?.startSweeping() }
        let connections = AcceptedConnections(
            hubs: hubs, apiHub: apiHub, directory: directory, admissions: admissions,
            access: access,
            origin: origin, ladders: ladders, pushes: pushes, identity: identity,
            delays: delays, senders: senders, logger: logger)
        do {
            let channels = try await listen(configuration, connections, on: loops)
            let server = RelayServer(loops: loops, connections: connections, channels: channels)
            await ladders?.start(host: configuration.host, port: server.rtmpPort)
            return server
        } catch {
            try? await loops.shutDown()
            throw error
        }
    }

    /// Whether `reload` reads anything.
    public var canReload: Bool { connections.identity != nil || connections.access.canReload }

    /// Reads the files again that may change while the server serves: certificate, key and files of
    /// stream keys. A file that cannot be used is logged, and the contents in use stay.
    public func reload() {
        connections.access.reload(connections.logger)
        do {
            try connections.identity?.reload()
            if connections.identity != nil {
                connections.logger.notice("the certificate was read again, for new connections")
            }
        } catch {
            connections.logger.error("the old certificate stays in use: \(error)")
        }
    }

    /// - Throws: An error for settings with which the server cannot run.
    private static func check(_ configuration: ServerConfiguration) throws {
        if let problem = configuration.problem {
            throw ServerConfigurationError(description: problem)
        }
        if let problem = configuration.hls?.problem {
            throw HLSConfigurationError(description: problem)
        }
    }

    private static func makeLadders(
        _ configuration: ServerConfiguration, _ directory: StreamDirectory, _ logger: Logger
    ) throws -> LadderController? {
        guard !configuration.ladders.isEmpty else { return nil }
        return try LadderController(configuration.ladders, directory: directory, logger: logger)
    }

    /// Returns the loop that packages a stream, which is always the same for a name (FNV-1a).
    private static func owner(of name: String, among count: Int) -> Int {
        let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        return Int(hash % UInt64(max(1, count)))
    }

    private static func listen(
        _ configuration: ServerConfiguration, _ connections: AcceptedConnections,
        on loops: ServerLoops
    ) async throws(ServerError) -> [ServerError.Listener: any Channel] {
        let ports: [(ServerError.Listener, Int?)] = [
            (.rtmp, configuration.rtmpPort), (.http, configuration.httpPort),
            (.rtmps, configuration.rtmpsPort), (.https, configuration.httpsPort),
            (.api, configuration.apiPort),
        ]
        var channels: [ServerError.Listener: any Channel] = [:]
        for (listener, port) in ports {
            guard let port else { continue }
            let isAPI = listener == .api
            let host = isAPI ? configuration.apiHost ?? configuration.host : configuration.host
            let base = ServerBootstrap.listening(
                on: isAPI ? loops.api ?? loops.media : loops.media,
                congestionControl: configuration.congestionControl,
                writeBuffer: (configuration.queueByteLimit / 4, configuration.queueByteLimit / 2))
            do {
                channels[listener] = try await base.childChannelInitializer { channel in
                    connections.begin(channel, of: listener)
                }
                .bind(host: host, port: port).get()
                if listener == .rtmp || listener == .rtmps {
                    connections.pushes.own.add(channels[listener]?.localAddress)
                }
            } catch {
                throw ServerError(error, listener, host: host, port: port)
            }
        }
        return channels
    }

    /// Confines `windowedDelays` to messages that are read in a window.
    ///
    /// - Parameter window: Window on CLOCK_MONOTONIC.
    package func setWindow(_ window: Window) { connections.delays.setWindow(window) }

    /// Deliveries of messages that were read in the window; nil if none was measured.
    package var windowedDelays: DelaySplit? { connections.delays.windowed }

    public func status() async throws -> ServerStatus { try await connections.status() }

    /// Serves until the service group shuts down or the task is cancelled, and then stops.
    public func run() async throws {
        try? await gracefulShutdown()
        connections.logger.info("stopping")
        try await stop()
    }

    /// Stops listening, notifies every peer, closes the connections and returns when everything has
    /// ended.
    public func stop() async throws {
        await ladders?.stop()
        for channel in channels { try? await channel.close() }
        let all = hubs + [connections.apiHub].compactMap(\.self)
        for hub in all {
            try? await hub.eventLoop.submit { hub.shutDown() }.get()
        }
        // Peers are told the end, and pushed streams end in order. A connection closes when all of
        // that is sent, at the latest after a second.
        await Self.waitUntilClosed(all, within: .seconds(1))
        await connections.access.callBacks?.drain()
        try await loops.shutDown()
        if let senders = connections.senders,
            await !senders.waitUntilEnded(within: .seconds(2))
        {
            connections.logger.error("\(senders.threads) sender threads have not ended")
        }
    }

    /// Waits until the connections of all hubs are closed, at most for a time.
    private static func waitUntilClosed(_ hubs: [StreamHub], within limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        for hub in hubs {
            while let open = try? await hub.eventLoop.submit({ hub.openConnections }).get(),
                open > 0, ContinuousClock.now < deadline
            {
                // The task may be cancelled, and a sleep of its own would then end at once.
                _ = await Task { try? await Task.sleep(for: .milliseconds(5)) }.value
            }
        }
    }
}
