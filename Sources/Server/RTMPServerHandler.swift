import HTTPWire
import Logging
import NIOCore
import NIOSSL
import RTMP
import Sockets

/// One RTMP connection: handshake, session, then a publisher or a player.
final class RTMPServerHandler: ChannelInboundHandler, SweptConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case handshake(ServerHandshake)
        case session
        case closed
    }

    let hub: StreamHub
    let hubs: [StreamHub]
    let directory: StreamDirectory
    let configuration: ServerConfiguration
    let admissions: Admissions
    let gate: RTMPGate
    private let place: Admissions.Place
    /// Buffer that the channel reads into; nil if the channel, or TLS, has buffers of its own.
    private let readBuffer: ReadBuffer?
    private var hasToldLeftOut = false
    let logger: Logger
    private var random = SystemRandomNumberGenerator()
    var phase = Phase.handshake(ServerHandshake())
    var input = RTMPInput()
    var session: ServerSessionStateMachine
    var role = RTMPRole.none
    var context: ChannelHandlerContext?
    /// Address and port of the peer.
    private(set) var peer = ""
    var outlet: Outlet?
    var liveness = RTMPLiveness()
    var hasAskedToConnect = false
    /// Whether a call-back has allowed the peer to publish or play.
    var tellsEnd = false
    /// Whether a call-back is being asked, so that received bytes wait.
    var isHeld = false
    /// Whether the connection has used up its slice of time, so that received bytes wait until the
    /// loop has served others.
    var isResting = false
    var slice = WorkSlice()
    /// Media that the peer has published and other loops have not worked on.
    let backlog = Backlog()
    /// Whether the connection is closed.
    private(set) var isGone = false

    init(
        hub: StreamHub, hubs: [StreamHub], directory: StreamDirectory, admissions: Admissions,
        access: AccessPolicy, place: Admissions.Place, readBuffer: ReadBuffer?, logger: Logger
    ) {
        self.admissions = admissions
        self.place = place
        self.readBuffer = readBuffer
        self.hub = hub
        self.hubs = hubs
        self.directory = directory
        self.logger = logger
        configuration = hub.configuration
        gate = RTMPGate(
            access: access, admissions: admissions, encoders: directory.encoders,
            hasLadders: !hub.configuration.ladders.isEmpty)
        session = ServerSessionStateMachine(
            configuration: .init(chunkSize: configuration.chunkSize))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        peer = PeerAddress.text(context.channel)
        outlet = Outlet(context)
        hub.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        outlet?.invalidate()
        outlet = nil
        hub.remove(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        outlet?.invalidate()
        isGone = true
        // Media that the peer had published before it left is still worked on; nothing else is.
        if isResting, case .publishing = role {} else { finish() }
        context.fireChannelInactive()
    }

    /// Ends the work for a peer that is gone, when nothing is left of its messages.
    func finish() {
        leave(clean: false)
        phase = .closed
        input.clear()
        _ = input.count(in: admissions)
        hub.remove(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard Outlet.isSecure(context) else { return close("\(error)") }
        // A peer that closes without TLS's close_notify is gone all the same.
        if case NIOSSLError.uncleanShutdown = error { return }
        close(TLSError.explanation(ofAccepted: error))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        liveness.hear()
        do {
            switch phase {
            case .handshake(var handshake):
                let progress = try handshake.receive(bytes, using: &random)
                switch progress {
                case .pending(let reply):
                    phase = .handshake(handshake)
                    write(reply)
                case .done(let reply, let rest):
                    phase = .session
                    write(reply)
                    try receive(rest)
                }
            case .session:
                try receive(bytes)
            case .closed: break
            }
        } catch {
            close("\(error)")
        }
        if !isOpen {
            // The connection stays for up to a second, in which the peer reads the last reply.
            input.clear()
        } else if isHeld || isResting {
            input.compact()
        }
        readBuffer?.giveBack(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliver()
        if case .publishing(let ingest, _) = role {
            ingest.reads.noteRead(isBetweenMessages: input.isBetweenMessages)
        }
        slice.finish()
        context.flush()
    }

    func receive(_ bytes: ByteBuffer) throws {
        if let acknowledgement = session.received(bytes: bytes.readableBytes) {
            write(acknowledgement)
        }
        input.append(bytes)
        try work()
        guard isOpen else { return }
        if !input.count(in: admissions) {
            close("unfinished messages of all connections hold too much memory")
        }
    }

    func take(_ message: Message) throws {
        guard message.type.isMedia else {
            if !hasAskedToConnect, try askToConnect(message) { return }
            for action in try session.receive(message) { perform(action) }
            return
        }
        if let why = role.objection(to: message) {
            leaveOut(because: why)
        } else if case .publishing(let ingest, _) = role {
            guard message.type == .aggregate else { return try ingest.receive(message) }
            try input.split(message)
        }
    }

    /// Counts a media message that is left out; the log has it once for each connection.
    private func leaveOut(because why: String) {
        admissions.countLeftOut()
        if case .publishing(let ingest, _) = role { directory.recordLeftOut(ingest.name) }
        guard !hasToldLeftOut, context != nil else { return }
        hasToldLeftOut = true
        logger.notice("\(peer): \(why): they are left out")
    }

    func perform(_ action: ServerSessionStateMachine.Action) {
        switch action {
        case .write(let bytes): write(bytes)
        case .publishRequested(let request): askToPublish(request)
        case .playRequested(let request): askToPlay(request)
        case .pause(let paused):
            if case .playing(let subscriber, _, _) = role { subscriber.pause(paused) }
        case .streamEnded(let id):
            if role.messageStreamID == id { leave(clean: true) }
        case .peerIsAlive: break
        case .close(let reason): close(reason)
        }
    }

    func leave(clean: Bool) {
        tellEnd()
        role.end(clean: clean, at: hub, logger)
        role = .none
        input.endStream()
        liveness.beginIdling()
    }

    /// Writes the bytes that `make` returns; bytes that cannot be written end the connection.
    func reply(_ make: () throws -> ByteBuffer) {
        do {
            write(try make())
        } catch {
            close("\(error)")
        }
    }

    private func write(_ bytes: ByteBuffer) {
        guard let outlet else { return }
        // A player's media has a limit of its own, but each play request brings a join burst.
        let mediaLimit = 2 * (configuration.queueByteLimit + configuration.gopCacheByteLimit)
        if !outlet.writeReply(bytes) || outlet.queuedBytes > mediaLimit {
            guard context != nil, case .session = phase else { return }
            phase = .closed
            logger.notice("cutting \(peer): it does not read")
            leave(clean: false)
            outlet.cut()
        }
    }

    func close(_ reason: String, level: Logger.Level = .notice) {
        guard context != nil else { return }
        if case .closed = phase { return }
        phase = .closed
        logger.log(
            level: level,
            "closing \(peer): \(reason.printable)")
        leave(clean: false)
        outlet?.close()
    }

    func kick(_ target: KickTarget) -> Bool {
        guard context != nil, isOpen else { return false }
        guard target.matches(stream: role.streamName, connection: peer)
        else { return false }
        // The publisher has left for good: the server does not wait for it.
        leave(clean: true)
        close("kicked")
        return true
    }

    func shutDown() {
        if case .playing(_, _, let id) = role {
            reply { try session.playEnded(messageStreamID: id) }
        }
        close("the server is shutting down", level: .debug)
    }

    func sweep(now: NIODeadline) {
        if case .publishing(let ingest, _) = role { ingest.reads.judge(at: hub) }
        switch liveness.judge(role, configuration, now: now) {
        case .isFine: break
        case .isOver(let why): close(why)
        case .needsPing:
            write(session.ping(UInt32(truncatingIfNeeded: now.uptimeNanoseconds / 1_000_000)))
            context?.flush()
        }
    }
}
