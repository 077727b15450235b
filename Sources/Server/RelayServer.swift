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
    let admissions: Admissions
    private let origin: HLSOrigin?
    private let channels: [any Channel]
    private let ladders: LadderController?

    private init(
        group: MultiThreadedEventLoopGroup, hubs: [StreamHub], directory: StreamDirectory,
        admissions: Admissions, origin: HLSOrigin?, ladders: LadderController?, rtmp: any Channel,
        http: (any Channel)?
    ) {
        self.ladders = ladders
        self.admissions = admissions
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
        try check(configuration)
        let admissions = Admissions(configuration.limits, logger: logger)
        let directory = StreamDirectory(configuration, admissions: admissions)
        let ladders = try makeLadders(configuration, directory, logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        let origin = configuration.hls.map {
            HLSOrigin($0, limits: configuration.limits, logger: logger)
        }
        let hubs = group.makeIterator().enumerated().map { index, eventLoop in
            StreamHub(eventLoop: eventLoop, configuration: configuration, origin: origin) { name in
                owner(of: name, among: configuration.threads) == index
            }
        }
        for hub in hubs { hub.eventLoop.execute { hub.startSweeping() } }
        @Sendable func hub(of channel: any Channel) -> StreamHub {
            hubs.first { $0.eventLoop === channel.eventLoop } ?? hubs[0]
        }
        let base = ServerBootstrap.listening(
            on: group, congestionControl: configuration.congestionControl,
            writeBuffer: (configuration.queueByteLimit / 4, configuration.queueByteLimit / 2))
        do {
            let rtmp = try await listen(configuration, .rtmp, configuration.rtmpPort, base) {
                channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.setCloseOnExec()
                    let place = try admissions.place(for: channel)
                    let handler = RTMPServerHandler(
                        hub: hub(of: channel), hubs: hubs, directory: directory,
                        admissions: admissions, place: place, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            var http: (any Channel)?
            if let port = configuration.httpPort {
                http = try await listen(configuration, .http, port, base) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        channel.setCloseOnExec()
                        let place = try admissions.place(for: channel)
                        let handler = FLVRequestHandler(
                            hub: hub(of: channel), directory: directory, origin: origin,
                            admissions: admissions, place: place, logger: logger
                        ) {
                            let promise = channel.eventLoop.makePromise(of: ServerStatus.self)
                            promise.completeWithTask {
                                try await Self.status(
                                    hubs, directory, admissions, origin, ladders)
                            }
                            return promise.futureResult
                        }
                        let decoder = ByteToMessageHandler(HTTPRequestDecoder())
                        try channel.pipeline.syncOperations.addHandlers([decoder, handler])
                    }
                }
            }
            let server = RelayServer(
                group: group, hubs: hubs, directory: directory, admissions: admissions,
                origin: origin, ladders: ladders, rtmp: rtmp, http: http)
            await ladders?.start(host: configuration.host, port: server.rtmpPort)
            return server
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// - Throws: for settings with which the server cannot run.
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

    public func status() async throws -> ServerStatus {
        try await Self.status(hubs, directory, admissions, origin, ladders)
    }

    private static func status(
        _ hubs: [StreamHub], _ directory: StreamDirectory, _ admissions: Admissions,
        _ origin: HLSOrigin?, _ ladders: LadderController?
    ) async throws -> ServerStatus {
        var local: [String: StreamHub.LocalStatus] = [:]
        for hub in hubs {
            for (name, status) in try await hub.eventLoop.submit({ hub.status() }).get() {
                var sum = local[name] ?? .init()
                sum.rtmpSubscribers += status.rtmpSubscribers
                sum.flvSubscribers += status.flvSubscribers
                sum.droppedFrames += status.droppedFrames
                // The loops share the cache's buffers.
                sum.cacheBytes = max(sum.cacheBytes, status.cacheBytes)
                local[name] = sum
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
                leftOutMessages: publication?.leftOutMessages ?? 0,
                hls: packaged[name].map {
                    .init($0.facts, container: origin?.configuration.container ?? .ts)
                })
        }
        var status = ServerStatus(
            version: "1", streams: streams, ladders: await ladders?.status() ?? [])
        status.usage = admissions.usage(
            publishers: publications.count, streams: packaged.count,
            hlsBytes: streams.reduce(0) { $0 + ($1.hls?.storedBytes ?? 0) },
            gopCacheBytes: streams.reduce(0) { $0 + $1.gopCacheBytes })
        status.leftOutMessages = admissions.leftOutMessages
        for (limit, count) in admissions.refused { status.refused[limit.rawValue] = count }
        return status
    }

    /// Stops listening, tells every peer, closes and returns when all is down.
    public func stop() async throws {
        await ladders?.stop()
        for channel in channels { try? await channel.close() }
        for hub in hubs { try? await hub.eventLoop.submit { hub.shutDown() }.get() }
        try await group.shutdownGracefully()
    }
}
