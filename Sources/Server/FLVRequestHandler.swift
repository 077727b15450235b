import HTTPWire
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import RTMP
import Sockets

/// One HTTP connection: HTTP-FLV at `/<app>/<stream>.flv`, the status at `/api/v1/status`, metrics
/// for Prometheus at `/metrics`, HLS below `/hls/`.
///
/// HLS keeps the connection (`HLSConnection`). Other responses are written as plain bytes and end
/// with the connection: every player accepts that, not every player accepts chunked framing, and
/// all players of a stream can share the same bytes.
final class FLVRequestHandler: ChannelInboundHandler, SweptConnection {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    let hub: StreamHub
    let directory: StreamDirectory
    let origin: HLSOrigin?
    private let role: HTTPPortRole
    private var hls: HLSConnection?
    let readStatus: @Sendable (StatusPage) -> EventLoopFuture<ByteBuffer>
    let kickOthers: @Sendable (KickTarget) -> EventLoopFuture<Int>
    let changePush: @Sendable (PushChange) -> EventLoopFuture<PushChange.Answer>
    let admissions: Admissions
    let access: AccessPolicy
    private let place: Admissions.Place
    let logger: Logger
    var context: ChannelHandlerContext?
    var outlet: Outlet?
    private var subscription: (subscriber: Subscriber, name: String)?
    /// Playback that a call-back has allowed.
    private var played: CallBack?
    /// Whether pages of other sites may read the response.
    var isShared = true
    private let openedAt = NIODeadline.now()
    var answered = false

    init(
        hub: StreamHub, role: HTTPPortRole, directory: StreamDirectory, origin: HLSOrigin?,
        admissions: Admissions, access: AccessPolicy, place: Admissions.Place, logger: Logger,
        status: @escaping @Sendable (StatusPage) -> EventLoopFuture<ByteBuffer>,
        kick: @escaping @Sendable (KickTarget) -> EventLoopFuture<Int>,
        push: @escaping @Sendable (PushChange) -> EventLoopFuture<PushChange.Answer>
    ) {
        self.access = access
        kickOthers = kick
        changePush = push
        self.admissions = admissions
        self.place = place
        self.hub = hub
        self.directory = directory
        self.origin = role.answersMedia ? origin : nil
        self.role = role
        self.logger = logger
        readStatus = status
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
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
        hls?.end()
        unsubscribe()
        hub.remove(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case NIOSSLError.uncleanShutdown = error { return }
        // A response in progress would be mixed up with another one.
        if let fault = error as? HTTPRequestFault, !answered, hls?.isIdle ?? true {
            hls?.end()
            answered = true
            write(fault.answer)
            return finish()
        }
        let isSecure = Outlet.isSecure(context)
        logger.debug(
            "HTTP: \(isSecure ? TLSError.explanation(ofAccepted: error) : "\(error)")")
        unsubscribe()
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data), !answered else { return }
        if let origin, head.method == .GET || head.method == .HEAD,
            head.uri.hasPrefix(HLSRequest.prefix), let outlet
        {
            let connection =
                hls
                ?? HLSConnection(
                    origin: origin, outlet: outlet, access: access,
                    peer: PeerAddress.text(context.channel),
                    address: context.channel.remoteAddress?.ipAddress
                ) { [weak self] in
                    self?.context?.close(promise: nil)
                }
            hls = connection
            return connection.receive(head)
        }
        // Any other request ends a connection of HLS.
        hls?.end()
        answered = true
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        let path = parts.first.map(String.init) ?? "/"
        let query = parts.count == 2 ? String(parts[1]) : ""
        if path == "/metrics" || path.hasPrefix("/api/") {
            guard role.answersAPI else {
                return respond(
                    "404 Not Found", body: "The API has a port of its own here (--api-port).\n")
            }
            return answerAPI(head, path, query)
        }
        guard role.answersMedia else {
            return respond(
                "404 Not Found",
                body: "This port answers the API below /api/v1/ and /metrics alone.\n")
        }
        switch head.method {
        case .OPTIONS:
            respond(
                "204 No Content",
                headers: [
                    "Access-Control-Allow-Methods: GET, HEAD, OPTIONS",
                    "Access-Control-Allow-Headers: *",
                ])
        case .GET, .HEAD:
            if path.hasSuffix(".flv"), path.dropFirst().contains("/") {
                askToPlay(
                    String(path.dropFirst().dropLast(4)), query, headOnly: head.method == .HEAD)
            } else {
                respond(
                    "404 Not Found",
                    body:
                        "No such resource. Streams are at /<app>/<stream>.flv, \(origin == nil ? "" : "HLS at /hls/<app>/<stream>/index.m3u8 and /hls/<app>/<channel>/master.m3u8, ")the status at /api/v1/status, Prometheus metrics at /metrics.\n"
                )
            }
        default: respond("405 Method Not Allowed", headers: ["Allow: GET, HEAD, OPTIONS"])
        }
    }

    /// Judges by address and key, then asks the call-back.
    private func askToPlay(_ path: String, _ query: String, headOnly: Bool) {
        guard let context else { return }
        let name = URIReference.percentDecoded(path)
        let (application, stream) = StreamName.split(name)
        let verdict = access.judge(
            .play, stream, of: application, query: query,
            address: context.channel.remoteAddress?.ipAddress)
        guard verdict == .accepted else { return refuse(verdict) }
        guard let callBacks = access.callBacks else { return play(name, headOnly: headOnly) }
        let call = CallBack(
            event: .play, protocol: "http-flv", application: application, stream: stream,
            query: query, connection: PeerAddress.text(context.channel))
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        callBacks.ask(call).hop(to: context.eventLoop).whenComplete { result in
            let handler = bound.value
            guard handler.context != nil else { return }
            if case .success(nil) = result {
                handler.played = call
                return handler.play(name, headOnly: headOnly)
            }
            handler.logger.notice("play of \(name.printable) is refused by the call-back")
            handler.refuse(.refused("this server does not accept it"))
        }
    }

    /// - Parameter verdict: A verdict other than `accepted`.
    func refuse(_ verdict: AccessPolicy.Verdict, headers: [String] = []) {
        switch verdict {
        case .accepted: break
        case .refused(let why):
            respond(
                headers.isEmpty ? "403 Forbidden" : "401 Unauthorized", headers: headers,
                body: why + "\n")
        case .wait(let seconds):
            admissions.refuse(.wrongKeys)
            respond(
                "429 Too Many Requests", headers: ["Retry-After: \(seconds)"],
                body: "This address has sent too many wrong keys; try again in \(seconds) s.\n")
        }
    }

    private func play(_ name: String, headOnly: Bool) {
        guard let outlet else { return }
        if hub.configuration.earlyPlay == .refuse, directory.publications[name] == nil {
            return respond("404 Not Found", body: "Nobody publishes \(name.printable).\n")
        }
        guard name.utf8.count <= ServerSessionStateMachine.nameLimit else {
            admissions.refuse(.names)
            return respond(
                "414 URI Too Long",
                body:
                    "The stream's name has \(name.utf8.count) bytes; at most \(ServerSessionStateMachine.nameLimit) are taken.\n"
            )
        }
        guard let place = admissions.admitPlayer() else {
            return respond(
                "503 Service Unavailable", headers: ["Retry-After: 10"],
                body: "There are as many players as this server takes; try again later.\n")
        }
        guard headOnly || hub.assignSender(to: outlet, of: name) else {
            return respond(
                "503 Service Unavailable", headers: ["Retry-After: 10"],
                body:
                    "There are as many sender threads as this server starts; try again later.\n")
        }
        write(head("200 OK", ["Content-Type: video/x-flv", "Cache-Control: no-store"]))
        outlet.flush()
        guard !headOnly else { return finish() }
        let subscriber = Subscriber(
            format: .flv, outlet: outlet, configuration: hub.configuration, place: place
        ) { [weak self] in self?.finish() }
        subscription = (subscriber, name)
        if !hub.subscribe(subscriber, to: name) { finish() }
    }

    func write(_ bytes: ByteBuffer) {
        outlet?.write(bytes)
    }

    func finish() {
        unsubscribe()
        outlet?.close()
    }

    private func unsubscribe() {
        guard let (subscriber, name) = subscription else { return }
        subscription = nil
        hub.unsubscribe(subscriber, from: name)
        guard var call = played else { return }
        played = nil
        call.event = .end
        call.ended = "play"
        call.query = ""
        access.callBacks?.tell(call)
    }

    func kick(_ target: KickTarget) -> Bool {
        guard let context else { return false }
        guard
            target.matches(
                stream: subscription?.name, connection: PeerAddress.text(context.channel))
        else { return false }
        hls?.end()
        finish()
        return true
    }

    func shutDown() {
        hls?.end()
        finish()
    }

    func sweep(now: NIODeadline) {
        let configuration = hub.configuration
        if let hls, !answered {
            hls.sweep(
                now: now, stalledMilliseconds: configuration.stalledSubscriberMilliseconds)
        } else if let (subscriber, _) = subscription {
            // Nothing is sent to a player that waits, so a failed write cannot show that it is
            // gone.
            if subscriber.isWaiting,
                Int((now - openedAt).nanoseconds / 1_000_000)
                    > configuration.waitingPlayerMilliseconds
            {
                return finish()
            }
            if subscriber.congestedMilliseconds(now: now)
                > configuration.stalledSubscriberMilliseconds
            {
                finish()
            }
        } else if Int((now - openedAt).nanoseconds / 1_000_000)
            > configuration.setupTimeoutMilliseconds
        {
            context?.close(promise: nil)
        }
    }
}
