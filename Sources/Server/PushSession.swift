import HTTPWire
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Processes
import RTMP
import Sockets

/// One stream on its way to one target: a publishing client that connects again, with back-off,
/// whenever the connection ends. It is bound to the event loop of its hub.
final class PushSession: SweptConnection {
    /// The back-off: 250 ms, doubled with each failure in a row up to 15 s, without end.
    private static let reconnection = {
        var policy = RestartPolicy()
        policy.limit = .max
        return policy
    }()
    private static let connectSeconds: Int64 = 5

    let stream: String
    let target: RTMPURL
    private let hub: StreamHub
    private let table: PushTable
    private let logger: Logger
    private var state = PushStatus.State.connecting
    private var backoff = RestartBackoff(reconnection)
    private var handler: PushHandler?
    private var subscriber: Subscriber?
    /// Time since which the session connects, or since which the target takes the stream.
    private var since = NIODeadline.now()
    private var timer: Scheduled<Void>?
    private var sentBytes = 0
    private var droppedFrames = 0
    private var reconnects = 0
    private var lastError: String?

    /// - Parameter table: Targets of all streams.
    init(
        _ stream: String, to target: RTMPURL, at hub: StreamHub, table: PushTable, logger: Logger
    ) {
        self.stream = stream
        self.target = target
        self.hub = hub
        self.table = table
        self.logger = logger
    }

    private var name: String { "push of \(stream.printable) to \(target.withoutQuery.printable)" }

    // MARK: Connection

    func connect() {
        guard state != .ended else { return }
        state = .connecting
        since = .now()
        let bound = NIOLoopBound(self, eventLoop: hub.eventLoop)
        let (target, configuration) = (target, hub.configuration)
        let tls: NIOSSLContext?
        do {
            tls = target.isSecure ? try configuration.pushTrust.context() : nil
        } catch {
            return failed("\(error)")
        }
        ClientBootstrap(group: hub.eventLoop)
            .connectTimeout(.seconds(Self.connectSeconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .writeBufferWaterMark,
                value: .init(
                    low: configuration.queueByteLimit / 4, high: configuration.queueByteLimit / 2)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.setCloseOnExec()
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            TLSTrust.handler(tls, host: target.host))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        PushHandler(bound.value, chunkSize: configuration.chunkSize))
                }.flatMap {
                    configuration.congestionControl.map { CongestionControl($0).apply(to: channel) }
                        ?? channel.eventLoop.makeSucceededVoidFuture()
                }
            }
            .connect(host: target.host, port: target.port)
            .whenFailure { bound.value.failed("cannot connect: \(connectFailure($0))") }
    }

    /// - Parameters:
    ///   - remote: Address of the target's end of the connection.
    ///   - local: Address of this server's end.
    func connected(_ handler: PushHandler, remote: SocketAddress?, local: SocketAddress?) {
        guard state == .connecting else { return handler.cut("the stream is gone") }
        self.handler = handler
        table.own.learn(target, remote: remote, local: local)
        if let fault = table.fault(of: target, for: stream) { handler.cut(fault) }
    }

    /// The target takes the stream: it gets what a joining player gets, and then every message.
    func accepted(_ handler: PushHandler, messageStreamID: UInt32) {
        guard handler === self.handler, let outlet = handler.outlet else { return }
        guard hub.assignSender(to: outlet, of: stream) else {
            return handler.cut("there are as many sender threads as this server starts")
        }
        let subscriber = Subscriber(
            format: .push(messageStreamID: messageStreamID), outlet: outlet,
            configuration: hub.configuration
        ) {}
        // A write that fails ends the connection at once, so all is noted before the first one.
        self.subscriber = subscriber
        state = .live
        since = .now()
        logger.info("\(name) is live")
        if !hub.subscribe(subscriber, to: stream) { handler.cut("the stream is gone") }
    }

    func disconnected(_ handler: PushHandler, _ reason: String) {
        guard handler === self.handler else { return }
        failed(reason)
    }

    /// Notes that the connection ended, or could not be established, and connects again later.
    private func failed(_ reason: String) {
        let reason = target.hidingQueries(in: reason)
        let ran = state == .live ? (.now() - since).nanoseconds / 1_000_000 : 0
        unsubscribe()
        handler = nil
        guard state != .ended else { return hub.remove(self) }
        if lastError != reason { logger.notice("\(name): \(reason.printable)") }
        lastError = reason
        state = .waiting
        reconnects += 1
        let delay =
            backoff.ended(afterMilliseconds: Int(ran), jitter: .random(in: 0...1)) ?? 15_000
        let bound = NIOLoopBound(self, eventLoop: hub.eventLoop)
        timer = hub.eventLoop.scheduleTask(in: .milliseconds(Int64(delay))) {
            bound.value.connect()
        }
    }

    private func unsubscribe() {
        guard let subscriber else { return }
        hub.unsubscribe(subscriber, from: stream)
        sentBytes += handler?.outlet?.sentBytes ?? 0
        droppedFrames += subscriber.droppedFrames
        self.subscriber = nil
    }

    /// Ends the session in order, because the stream is gone or the target was removed. The hub
    /// keeps the session until its connection is closed.
    func end() {
        guard state != .ended else { return }
        unsubscribe()
        state = .ended
        timer?.cancel()
        handler?.finish()
        if handler == nil { hub.remove(self) }
        logger.info("\(name) has ended")
    }

    // MARK: SweptConnection

    func sweep(now: NIODeadline) {
        let configuration = hub.configuration
        if state == .connecting, let handler,
            now - since > .milliseconds(Int64(configuration.setupTimeoutMilliseconds))
        {
            handler.cut(
                "the target has not accepted the stream within \(configuration.setupTimeoutMilliseconds / 1000) s"
            )
        }
        let stalled = subscriber?.congestedMilliseconds(now: now) ?? 0
        if stalled > configuration.stalledSubscriberMilliseconds {
            handler?.cut("the target has taken too little for \(stalled / 1000) s")
        }
    }

    func shutDown() { end() }

    func kick(_ target: KickTarget) -> Bool { false }

    var status: PushStatus {
        PushStatus(
            stream: stream, target: target.withoutQuery, state: state,
            liveSeconds: state == .live
                ? Double((.now() - since).nanoseconds) / 1e9 : nil,
            sentBytes: sentBytes + (subscriber == nil ? 0 : handler?.outlet?.sentBytes ?? 0),
            droppedFrames: droppedFrames + (subscriber?.droppedFrames ?? 0),
            reconnects: reconnects, lastError: lastError)
    }
}
