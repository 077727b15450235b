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

    enum Role {
        case none
        case publishing(Ingest, messageStreamID: UInt32)
        case playing(Subscriber, name: String, messageStreamID: UInt32)
    }

    let hub: StreamHub
    let hubs: [StreamHub]
    let directory: StreamDirectory
    let configuration: ServerConfiguration
    let admissions: Admissions
    let access: AccessPolicy
    private let place: Admissions.Place
    private var hasToldLeftOut = false
    /// Bytes of its unfinished messages at the last count.
    private var heldBytes = 0
    let logger: Logger
    private var random = SystemRandomNumberGenerator()
    var phase = Phase.handshake(ServerHandshake())
    var reader = ChunkReader()
    var session: ServerSessionStateMachine
    var role = Role.none
    var context: ChannelHandlerContext?
    /// Address and port of the peer.
    private(set) var peer = ""
    var outlet: Outlet?
    /// Time since which the peer neither publishes nor plays.
    private var idleSince = NIODeadline.now()
    var lastHeard = NIODeadline.now()
    private var lastPing = NIODeadline.now()
    var hasAskedToConnect = false
    /// Whether a call-back has allowed the peer to publish or play.
    var tellsEnd = false
    /// Whether a call-back is being asked, so that received bytes wait.
    var isHeld = false
    /// Whether the connection has used up its slice of time, so that received bytes wait until the
    /// loop has served others.
    var isResting = false
    /// Time until which the connection is worked for in this turn; nil if the turn has not begun.
    var sliceEnd: NIODeadline?
    /// Work since the clock was last read, in messages of 4 KiB.
    var sinceLook = 0
    /// Parts of an aggregate message that are still to be processed, and that message's length.
    var parts: (rest: ArraySlice<Message>, bytes: Int) = ([], 0)
    /// Media that the peer has published and other loops have not worked on.
    let backlog = Backlog()
    /// Whether the connection is closed.
    private(set) var isGone = false

    /// Time of the first ping since the player was last heard.
    var unansweredPing: NIODeadline?

    init(
        hub: StreamHub, hubs: [StreamHub], directory: StreamDirectory, admissions: Admissions,
        access: AccessPolicy, place: Admissions.Place, logger: Logger
    ) {
        self.admissions = admissions
        self.access = access
        self.place = place
        reader.messageLimit = ServerLimits.commandBytes
        self.hub = hub
        self.hubs = hubs
        self.directory = directory
        self.logger = logger
        configuration = hub.configuration
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
        // The received part of an unfinished message belongs to no stream.
        reader = ChunkReader()
        parts = ([], 0)
        _ = admissions.hold(0, before: heldBytes)
        heldBytes = 0
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
        lastHeard = .now()
        unansweredPing = nil
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
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliver()
        sliceEnd = nil
        context.flush()
    }

    func receive(_ bytes: ByteBuffer) throws {
        if let acknowledgement = session.received(bytes: bytes.readableBytes) {
            write(acknowledgement)
        }
        reader.append(bytes)
        try work()
        guard isOpen else { return }
        let held = reader.unfinishedBytes + (parts.rest.isEmpty ? 0 : parts.bytes)
        let isFair = admissions.hold(held, before: heldBytes)
        heldBytes = held
        if !isFair { close("unfinished messages of all connections hold too much memory") }
    }

    func take(_ message: Message) throws {
        guard message.type.isMedia else {
            if !hasAskedToConnect, access.callBacks != nil, try askToConnect(message) { return }
            for action in try session.receive(message) { perform(action) }
            return
        }
        if let why = objection(to: message) {
            leaveOut(because: why)
        } else if case .publishing(let ingest, _) = role {
            guard message.type == .aggregate else { return try ingest.receive(message) }
            // No specification has aggregates inside aggregates.
            parts = (
                try message.split().filter { $0.type.isMedia && $0.type != .aggregate }[...],
                message.payload.readableBytes
            )
        }
    }

    /// Reason why a media message is left out; nil if it is accepted.
    private func objection(to message: Message) -> String? {
        guard case .publishing(let ingest, let id) = role else {
            return "media come, but nothing is published"
        }
        if id != message.messageStreamID {
            return
                "media come on message stream \(message.messageStreamID), but \(ingest.name.printable) is published on \(id)"
        }
        guard message.payload.readableBytes > ServerLimits.headerBytes, message.isKeptForPlayers
        else { return nil }
        return
            "metadata or a codec's configuration has \(message.payload.readableBytes) bytes; at most \(ServerLimits.headerBytes) are kept for each player that joins"
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
            switch role {
            case .publishing(_, let own) where own == id: leave(clean: true)
            case .playing(_, _, let own) where own == id: leave(clean: true)
            default: break
            }
        case .peerIsAlive: break
        case .close(let reason): close(reason)
        }
    }

    func leave(clean: Bool) {
        tellEnd()
        switch role {
        case .none: break
        case .publishing(let ingest, _):
            ingest.deliver()
            ingest.end(
                clean: clean,
                grace: .milliseconds(Int64(configuration.publisherGraceMilliseconds)))
            logger.info("unpublish \(ingest.name.printable)\(clean ? "" : " (connection lost)")")
        case .playing(let subscriber, let name, _): hub.unsubscribe(subscriber, from: name)
        }
        role = .none
        parts = ([], 0)
        reader.messageLimit = ServerLimits.commandBytes
        idleSince = .now()
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
        guard target.matches(stream: streamName, connection: peer)
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
        func elapsed(_ since: NIODeadline) -> Int { Int((now - since).nanoseconds / 1_000_000) }
        switch role {
        case .none:
            if elapsed(idleSince) > configuration.setupTimeoutMilliseconds {
                close("neither published nor played in time")
            }
        case .publishing:
            if elapsed(lastHeard) > configuration.publisherIdleMilliseconds {
                close("the publisher has sent nothing for \(elapsed(lastHeard)) ms")
            }
        case .playing(let subscriber, _, _):
            if subscriber.congestedMilliseconds(now: now)
                > configuration.stalledSubscriberMilliseconds
            {
                close("the player has not read for too long")
            } else if let since = unansweredPing,
                elapsed(since) > 3 * configuration.pingIntervalMilliseconds
            {
                close("the player has not answered a ping")
            } else if elapsed(lastPing) >= configuration.pingIntervalMilliseconds {
                lastPing = now
                unansweredPing = unansweredPing ?? now
                write(session.ping(UInt32(truncatingIfNeeded: now.uptimeNanoseconds / 1_000_000)))
                context?.flush()
            }
        }
    }
}
