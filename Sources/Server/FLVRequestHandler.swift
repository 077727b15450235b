import FoundationEssentials
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import RTMP
import Sockets

/// One HTTP connection: HTTP-FLV at `/<app>/<stream>.flv`, the status at `/api/v1/status`, the same
/// for Prometheus at `/metrics`, HLS below `/hls/`.
///
/// HLS keeps the connection (`HLSConnection`). Other responses are written as plain bytes and end with the connection: every player takes that,
/// not every one takes chunked framing, and all players of a stream can share the same bytes.
final class FLVRequestHandler: ChannelInboundHandler, SweptConnection {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let hub: StreamHub
    private let directory: StreamDirectory
    private let origin: HLSOrigin?
    private var hls: HLSConnection?
    private let readStatus: @Sendable () -> EventLoopFuture<ServerStatus>
    private let admissions: Admissions
    private let place: Admissions.Place
    private let logger: Logger
    private var context: ChannelHandlerContext?
    private var outlet: Outlet?
    private var subscription: (subscriber: Subscriber, name: String)?
    private let openedAt = NIODeadline.now()
    private var answered = false

    init(
        hub: StreamHub, directory: StreamDirectory, origin: HLSOrigin?, admissions: Admissions,
        place: Admissions.Place, logger: Logger,
        status: @escaping @Sendable () -> EventLoopFuture<ServerStatus>
    ) {
        self.admissions = admissions
        self.place = place
        self.hub = hub
        self.directory = directory
        self.origin = origin
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
                ?? HLSConnection(origin: origin, outlet: outlet) { [weak self] in
                    self?.context?.close(promise: nil)
                }
            hls = connection
            return connection.receive(head)
        }
        // Whatever else is asked ends a connection of HLS.
        hls?.end()
        answered = true
        let path = head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "/"
        switch head.method {
        case .OPTIONS:
            respond(
                "204 No Content",
                headers: [
                    "Access-Control-Allow-Methods: GET, HEAD, OPTIONS",
                    "Access-Control-Allow-Headers: *",
                ])
        case .GET, .HEAD:
            if path == "/api/v1/status" {
                status(head.method == .HEAD, asMetrics: false)
            } else if path == "/metrics" {
                status(head.method == .HEAD, asMetrics: true)
            } else if path.hasSuffix(".flv"), path.dropFirst().contains("/") {
                play(String(path.dropFirst().dropLast(4)), headOnly: head.method == .HEAD)
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

    private func play(_ path: String, headOnly: Bool) {
        guard let outlet else { return }
        let name = path.removingPercentEncodingBytes
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
        write(head("200 OK", ["Content-Type: video/x-flv", "Cache-Control: no-store"]))
        outlet.flush()
        guard !headOnly else { return finish() }
        let subscriber = Subscriber(
            format: .flv, outlet: outlet, configuration: hub.configuration, place: place
        ) { [weak self] in self?.finish() }
        subscription = (subscriber, name)
        if !hub.subscribe(subscriber, to: name) { finish() }
    }

    private func status(_ headOnly: Bool, asMetrics: Bool) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        readStatus().hop(to: context.eventLoop).whenComplete { result in
            let handler = bound.value
            switch result {
            case .success(let status):
                let body =
                    asMetrics
                    ? ByteBuffer(string: ServerMetrics.text(status)) : Self.json(status)
                let type =
                    asMetrics ? "text/plain; version=0.0.4; charset=utf-8" : "application/json"
                handler.respond(
                    "200 OK", headers: ["Content-Type: \(type)", "Cache-Control: no-store"],
                    bytes: headOnly ? ByteBuffer() : body)
            case .failure(let error):
                handler.respond("500 Internal Server Error", body: "\(error)\n")
            }
        }
    }

    private static func json(_ status: ServerStatus) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return (try? encoder.encode(status)).map { ByteBuffer(bytes: $0) } ?? ByteBuffer()
    }

    private func respond(_ status: String, headers: [String] = [], body: String) {
        respond(
            status, headers: headers + ["Content-Type: text/plain; charset=utf-8"],
            bytes: ByteBuffer(string: body))
    }

    private func respond(_ status: String, headers: [String] = [], bytes: ByteBuffer = ByteBuffer())
    {
        write(head(status, headers + ["Content-Length: \(bytes.readableBytes)"]))
        write(bytes)
        finish()
    }

    private func head(_ status: String, _ headers: [String]) -> ByteBuffer {
        let all =
            ["Server: millrace", "Connection: close", "Access-Control-Allow-Origin: *"] + headers
        return ByteBuffer(string: "HTTP/1.1 \(status)\r\n\(all.joined(separator: "\r\n"))\r\n\r\n")
    }

    private func write(_ bytes: ByteBuffer) {
        outlet?.write(bytes)
    }

    private func finish() {
        unsubscribe()
        outlet?.close()
    }

    private func unsubscribe() {
        guard let (subscriber, name) = subscription else { return }
        subscription = nil
        hub.unsubscribe(subscriber, from: name)
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
            // Nothing is sent to one that waits, so nothing would tell that it is gone.
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

extension String {
    /// The string with `%XX` decoded; as it is where an escape is malformed.
    var removingPercentEncodingBytes: String {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let value = UInt8(String(Substring(digits)), radix: 16) else {
                return self
            }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
