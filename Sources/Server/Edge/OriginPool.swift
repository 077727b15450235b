import struct HTTPWire.HTTPURL
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Sockets

/// The edge's connections to its origin. They are kept open, their number is limited, and each
/// carries one request at a time. The pool is bound to the edge's event loop.
final class OriginPool {
    let eventLoop: any EventLoop
    let store: EdgeStore
    let origin: HTTPURL
    /// Name in Via headers, by which an edge notices that it is its own origin.
    let name: String
    var link: WANLink
    /// Number of bytes that were read but have not crossed the WAN yet.
    var onTheWay = 0
    private let configuration: EdgeConfiguration
    /// TLS context for connections to the origin; nil if the origin speaks plain HTTP.
    private let tls: NIOSSLContext?
    /// Connections without a fetch. The one used most recently is last, and is taken first.
    private var idle: [OriginConnection] = []
    private var all: [ObjectIdentifier: OriginConnection] = [:]
    /// Number of connections that are being established.
    private var connecting = 0
    private var queue = CircularBuffer<EdgeFetch>()
    private var isStopped = false

    /// Seconds after which a connection without a fetch is closed.
    private static let idleSeconds = 60.0
    /// Longest time to establish a connection, in seconds.
    private static let connectSeconds: Int64 = 5
    /// Seconds for which a fetch continues without a waiting client, because a player may request
    /// the object again.
    private static let abandonedSeconds = 1.0

    /// Rate in bytes per second below which a fetch is given up while others wait.
    static let slowBytesPerSecond = 1024

    /// Current time of the edge's clock in nanoseconds.
    static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    init(
        _ configuration: EdgeConfiguration, origin: HTTPURL, store: EdgeStore, name: String,
        tls: NIOSSLContext?, eventLoop: any EventLoop
    ) {
        self.tls = tls
        self.configuration = configuration
        self.origin = origin
        self.store = store
        self.name = name
        self.eventLoop = eventLoop
        link = WANLink(configuration.wan)
    }

    var connections: Int { all.count + connecting }
    var queued: Int { queue.count }

    /// Largest number of connections for blocking reloads, which the origin holds back until there
    /// is a new version. It is a part of all connections, so that some remain for other requests.
    private var heldLimit: Int { max(1, configuration.originConnections * 3 / 4) }
    /// Number of connections that are being established for blocking reloads.
    private var connectingHeld = 0

    /// Whether another blocking reload may have a connection.
    private var hasRoomForHeld: Bool {
        all.values.count(where: \.carriesHeld) + connectingHeld < heldLimit
    }

    private func mayBegin(_ fetch: EdgeFetch) -> Bool {
        !fetch.object.target.isBlocking || hasRoomForHeld
    }

    /// Begins a fetch, queues it if there is no free connection, or fails it if the queue is full.
    func start(_ fetch: EdgeFetch) {
        if mayBegin(fetch) {
            if let connection = idle.popLast() { return connection.carry(fetch) }
            if connections < configuration.originConnections { return connect(for: fetch) }
        }
        guard queue.count < configuration.queuedFetches else {
            return store.failed(
                fetch.object,
                EdgeFailure(
                    status: .serviceUnavailable,
                    reason:
                        "\(queue.count) fetches wait for the origin already; try again soon, or "
                        + "run more edges.\n"))
        }
        queue.append(fetch)
    }

    /// Begins a fetch again, on a new connection, because its kept connection had closed. If there
    /// is no free connection, the fetch becomes the first in the queue.
    func again(_ fetch: EdgeFetch) {
        guard mayBegin(fetch), connections < configuration.originConnections else {
            return queue.prepend(fetch)
        }
        connect(for: fetch)
    }

    private func connect(for fetch: EdgeFetch) {
        guard !isStopped else { return refuse(fetch, "the edge stops") }
        connecting += 1
        let isHeld = fetch.object.target.isBlocking
        connectingHeld += isHeld ? 1 : 0
        let pool = NIOLoopBound(self, eventLoop: eventLoop)
        let bound = NIOLoopBound(fetch, eventLoop: eventLoop)
        let (tls, host) = (tls, origin.host)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(Self.connectSeconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.setCloseOnExec()
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            TLSTrust.handler(tls, host: host))
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(OriginConnection(pool.value))
                }
            }
            .connect(host: origin.host, port: origin.port)
            .whenComplete { result in
                let (pool, fetch) = (pool.value, bound.value)
                pool.connecting -= 1
                pool.connectingHeld -= isHeld ? 1 : 0
                switch result {
                case .success(let channel): pool.connected(channel, fetch)
                case .failure(let error):
                    pool.refuse(fetch, connectFailure(error), timedOut: error is ChannelError)
                    pool.serveQueue()
                }
            }
    }

    private func connected(_ channel: any Channel, _ fetch: EdgeFetch) {
        guard !isStopped,
            let connection = try? channel.pipeline.syncOperations.handler(
                type: OriginConnection.self)
        else {
            channel.close(promise: nil)
            refuse(fetch, "the connection closed at once")
            return serveQueue()
        }
        all[ObjectIdentifier(connection)] = connection
        connection.carry(fetch)
    }

    private func refuse(_ fetch: EdgeFetch, _ why: String, timedOut: Bool = false) {
        store.failed(
            fetch.object,
            EdgeFailure(
                status: timedOut ? .gatewayTimeout : .badGateway,
                reason:
                    "The edge cannot reach its origin \(origin.origin): \(why). Is it "
                    + "running, and is --origin right?\n"))
    }

    // MARK: Connections

    /// Gives a connection that has finished its fetch to the next one in the queue, or keeps it.
    func released(_ connection: OriginConnection) {
        if let next = nextQueued() { return connection.carry(next) }
        idle.append(connection)
    }

    /// Removes the first fetch that may begin from the queue and returns it. Queued fetches without
    /// a waiting client fail.
    private func nextQueued() -> EdgeFetch? {
        while let place = queue.firstIndex(where: { $0.object.abandonedAt != nil }) {
            store.failed(queue.remove(at: place).object, Self.abandoned)
        }
        let hasRoom = hasRoomForHeld
        return queue.firstIndex { hasRoom || !$0.object.target.isBlocking }.map {
            queue.remove(at: $0)
        }
    }

    private static let abandoned = EdgeFailure(
        status: .serviceUnavailable, reason: "Nobody waited for it any more; ask again.\n")

    /// Removes a connection that has closed, and begins queued fetches in its place.
    func gone(_ connection: OriginConnection) {
        guard all.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        idle.removeAll { $0 === connection }
        serveQueue()
    }

    private func serveQueue() {
        while connections < configuration.originConnections, let next = nextQueued() {
            connect(for: next)
        }
    }

    /// Runs once a second: applies time-outs, and closes connections that are no longer needed.
    func sweep(at now: Int64) {
        for connection in Array(all.values) {
            let silence = connection.silence(at: now)
            if let seconds = connection.abandoned(at: now), seconds >= Self.abandonedSeconds {
                store.countGivenUp()
                connection.fail(Self.abandoned)
            } else if connection.fetchAge(at: now) > configuration.fetchSeconds {
                connection.fail(
                    EdgeFailure(
                        status: .gatewayTimeout,
                        reason:
                            "The origin \(origin.origin) has not sent the whole within "
                            + "\(Int(configuration.fetchSeconds)) s; look at its load, or give a "
                            + "longer --fetch-timeout.\n"))
            } else if connection.isBusy {
                guard silence > configuration.originTimeoutSeconds else { continue }
                connection.fail(
                    EdgeFailure(
                        status: .gatewayTimeout,
                        reason: "The origin \(origin.origin) has sent nothing for "
                            + "\(Int(configuration.originTimeoutSeconds)) s; look at its load, or "
                            + "give a longer --origin-timeout.\n"))
            } else if silence > Self.idleSeconds {
                connection.close()
            }
        }
        makeRoom(at: now)
    }

    /// Gives up slow fetches while others wait for a connection, the oldest first. Otherwise many
    /// slow fetches could occupy all connections and keep all others waiting.
    private func makeRoom(at now: Int64) {
        guard !queue.isEmpty, configuration.wan == nil else { return }
        let slow = all.values.compactMap { connection in
            connection.slowness(at: now).map { (connection, seconds: $0) }
        }.filter { $0.seconds >= configuration.slowFetchSeconds }
        for (connection, _) in slow.sorted(by: { $0.seconds > $1.seconds }).prefix(queue.count) {
            store.countGivenUp()
            connection.fail(
                EdgeFailure(
                    status: .gatewayTimeout,
                    reason: "The origin \(origin.origin) sent less than "
                        + "\(Self.slowBytesPerSecond) bytes a second while others waited for a "
                        + "connection to it; look at its load, or run more edges.\n"))
        }
    }

    func stop() {
        isStopped = true
        for fetch in queue { refuse(fetch, "the edge stops") }
        queue.removeAll()
        for connection in Array(all.values) {
            connection.fail(
                EdgeFailure(status: .serviceUnavailable, reason: "The edge stops.\n"))
        }
    }
}
