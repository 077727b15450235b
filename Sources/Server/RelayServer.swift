import FoundationEssentials
import HLS
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Sockets

/// The embedded stack: RTMP in, RTMP, HTTP-FLV and HLS out.
public final class RelayServer: Sendable {
    /// Ports really bound.
    public let rtmpPort: Int
    public let httpPort: Int?
    private let group: MultiThreadedEventLoopGroup
    private let hubs: [StreamHub]
    private let directory: StreamDirectory
    private let origin: HLSOrigin?
    private let channels: [any Channel]
    private let ladders: LadderController?

    private init(
        group: MultiThreadedEventLoopGroup, hubs: [StreamHub], directory: StreamDirectory,
        origin: HLSOrigin?, ladders: LadderController?, rtmp: any Channel, http: (any Channel)?
    ) {
        self.ladders = ladders
        self.group = group
        self.hubs = hubs
        self.directory = directory
        self.origin = origin
        rtmpPort = rtmp.localAddress?.port ?? 0
        httpPort = http?.localAddress?.port
        channels = [rtmp] + (http.map { [$0] } ?? [])
    }

    /// Listens, and returns when peers may connect.
    ///
    /// - Throws: `ServerError` for a port that cannot be had, `LadderError` for a ladder that cannot
    ///   be made, `HLSConfigurationError`.
    public static func start(
        _ configuration: ServerConfiguration, logger: Logger
    ) async throws -> RelayServer {
        if let problem = configuration.hls?.problem {
            throw HLSConfigurationError(description: problem)
        }
        let directory = StreamDirectory(configuration)
        let ladders =
            configuration.ladders.isEmpty
            ? nil
            : try LadderController(
                configuration.ladders, directory: directory, logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        let origin = configuration.hls.map { HLSOrigin($0, logger: logger) }
        let hubs = group.makeIterator().enumerated().map { index, eventLoop in
            StreamHub(eventLoop: eventLoop, configuration: configuration, origin: origin) { name in
                owner(of: name, among: configuration.threads) == index
            }
        }
        for hub in hubs { hub.eventLoop.execute { hub.startSweeping() } }
        @Sendable func hub(of channel: any Channel) -> StreamHub {
            hubs.first { $0.eventLoop === channel.eventLoop }!
        }
        let base = ServerBootstrap.listening(
            on: group, congestionControl: configuration.congestionControl,
            writeBuffer: (configuration.queueByteLimit / 4, configuration.queueByteLimit / 2))
        do {
            let rtmp = try await listen(configuration, .rtmp, configuration.rtmpPort, base) {
                channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.setCloseOnExec()
                    let handler = RTMPServerHandler(
                        hub: hub(of: channel), hubs: hubs, directory: directory, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            var http: (any Channel)?
            if let port = configuration.httpPort {
                http = try await listen(configuration, .http, port, base) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        channel.setCloseOnExec()
                        let handler = FLVRequestHandler(
                            hub: hub(of: channel), directory: directory, origin: origin,
                            logger: logger
                        ) {
                            let promise = channel.eventLoop.makePromise(of: ByteBuffer.self)
                            promise.completeWithTask {
                                try await Self.statusJSON(hubs, directory, origin, ladders)
                            }
                            return promise.futureResult
                        }
                        let decoder = ByteToMessageHandler(HTTPRequestDecoder())
                        try channel.pipeline.syncOperations.addHandlers([decoder, handler])
                    }
                }
            }
            let server = RelayServer(
                group: group, hubs: hubs, directory: directory, origin: origin, ladders: ladders,
                rtmp: rtmp, http: http)
            await ladders?.start(host: configuration.host, port: server.rtmpPort)
            return server
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// The loop that packages a stream: always the same for a name (FNV-1a).
    private static func owner(of name: String, among count: Int) -> Int {
        let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        return Int(hash % UInt64(max(1, count)))
    }

    private static func listen(
        _ configuration: ServerConfiguration, _ listener: ServerError.Listener, _ port: Int,
        _ base: ServerBootstrap,
        _ initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws(ServerError) -> any Channel {
        do {
            return try await base.childChannelInitializer(initializer)
                .bind(host: configuration.host, port: port).get()
        } catch {
            throw ServerError(error, listener, host: configuration.host, port: port)
        }
    }

    private static func statusJSON(
        _ hubs: [StreamHub], _ directory: StreamDirectory, _ origin: HLSOrigin?,
        _ ladders: LadderController?
    ) async throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return ByteBuffer(
            bytes: try encoder.encode(try await status(hubs, directory, origin, ladders)))
    }

    public func status() async throws -> ServerStatus {
        try await Self.status(hubs, directory, origin, ladders)
    }

    private static func status(
        _ hubs: [StreamHub], _ directory: StreamDirectory, _ origin: HLSOrigin?,
        _ ladders: LadderController?
    ) async throws -> ServerStatus {
        var local: [String: StreamHub.LocalStatus] = [:]
        for hub in hubs {
            for (name, status) in try await hub.eventLoop.submit({ hub.status() }).get() {
                local[name, default: .init()].rtmpSubscribers += status.rtmpSubscribers
                local[name, default: .init()].flvSubscribers += status.flvSubscribers
                local[name, default: .init()].droppedFrames += status.droppedFrames
                // The loops share the cache's buffers.
                local[name]!.cacheBytes = max(local[name]!.cacheBytes, status.cacheBytes)
            }
        }
        let publications = directory.publications
        let packaged = origin?.streams ?? [:]
        let now = NIODeadline.now()
        let streams = Set(local.keys).union(publications.keys).union(packaged.keys).sorted().map {
            name in
            let own = local[name] ?? .init()
            let publication = publications[name]
            return ServerStatus.Stream(
                name: name, isPublished: publication.map { $0.awaySince == nil } ?? false,
                publisher: publication?.address,
                publishedSeconds: publication.map {
                    Double((now - $0.startedAt).nanoseconds) / 1e9
                },
                receivedBytes: publication?.receivedBytes ?? 0,
                videoFrames: publication?.videoFrames ?? 0,
                audioFrames: publication?.audioFrames ?? 0,
                keyFrames: publication?.keyFrames ?? 0, rtmpSubscribers: own.rtmpSubscribers,
                flvSubscribers: own.flvSubscribers, droppedFrames: own.droppedFrames,
                gopCacheBytes: own.cacheBytes,
                hls: packaged[name].map {
                    .init($0.facts, container: origin?.configuration.container ?? .ts)
                })
        }
        return ServerStatus(
            version: "1", streams: streams, ladders: await ladders?.status() ?? [])
    }

    /// Stops listening, tells every peer, closes and returns when all is down.
    public func stop() async throws {
        await ladders?.stop()
        for channel in channels { try? await channel.close() }
        for hub in hubs { try? await hub.eventLoop.submit { hub.shutDown() }.get() }
        try await group.shutdownGracefully()
    }
}
