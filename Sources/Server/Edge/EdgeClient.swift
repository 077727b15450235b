import NIOCore
import NIOHTTP1

/// One client connection of an edge. Its requests are answered one after the other.
///
/// A client reads the shared objects at its own pace, never further ahead than its socket accepts.
/// A slow client therefore holds no memory but the object that it is reading, and no other client
/// waits for it.
final class EdgeClient: ChannelInboundHandler, EdgeListener {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    struct Response {
        var object: EdgeObject
        var disposition: String
        /// True for the client that triggered the fetch; only it may receive a private response.
        var isOwner: Bool
        var isHead: Bool
        var range: String?
        var keepsAlive: Bool
        var isHTTP11: Bool
        var via: String
        // These properties describe the response once its head has been sent.
        var hasHead = false
        var begunAt: Int64 = 0
        var offset = 0
        /// End of the body; nil = the body ends with the object and is sent in chunks.
        var end: Int?
    }

    let core: EdgeCore
    private let place: Admissions.Place?
    private var context: ChannelHandlerContext?
    private var queue = CircularBuffer<HTTPRequestHead>()
    private var current: Response?
    private var isClosing = false
    private var isPumping = false
    /// Whether `pump` was called again while it was running.
    private var pumpsAgain = false
    private var idleSince = OriginPool.now
    /// Number of bytes that waited at the last change, and the time of that change.
    private var progress: (queued: Int, since: Int64)?

    /// Largest number of requests that a client may send before they are answered; one more closes
    /// the connection.
    static let pipelineLimit = 64
    /// Number of bytes handed to the channel at once.
    static let sliceLimit = 256 << 10
    /// Number of rounds of `pump` before other clients have their turn, if the socket accepts
    /// everything.
    static let turnLimit = 4

    /// - Parameter place: Place among the connections, kept as long as the client exists.
    init(_ core: EdgeCore, _ place: Admissions.Place? = nil) {
        self.core = core
        self.place = place
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        core.clients[ObjectIdentifier(self)] = self
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? HTTPRequestFault, current == nil, queue.isEmpty, !isClosing {
            context.write(wrapOutboundOut(fault.answer), promise: nil)
            return closeAfterWriting(context)
        }
        end()
        context.close(promise: nil)
    }

    private func end() {
        isClosing = true
        current?.object.remove(self, at: OriginPool.now)
        current = nil
        queue.removeAll()
        context = nil
        core.clients[ObjectIdentifier(self)] = nil
    }

    private func cut() {
        let context = context
        end()
        context?.close(promise: nil)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data), !isClosing else { return }
        guard queue.count < Self.pipelineLimit else { return cut() }
        queue.append(head)
        pump()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { pump() }
        context.fireChannelWritabilityChanged()
    }

    func objectChanged() { pump() }

    /// Continues everything that can continue.
    private func pump() {
        // Objects that fail at once, and sockets that accept everything, call `pump` while it runs.
        guard !isPumping else {
            pumpsAgain = true
            return
        }
        isPumping = true
        defer { isPumping = false }
        // Without the limit, a socket that accepts everything would get a long object in one turn
        // of the event loop.
        for turn in 0...Self.turnLimit {
            guard turn < Self.turnLimit else { return goOnLater() }
            pumpsAgain = false
            while let context, context.channel.isWritable {
                if current != nil {
                    guard advance(context) else { break }
                } else {
                    guard !isClosing, let head = queue.popFirst() else { break }
                    begin(head, context)
                }
            }
            context?.flush()
            guard pumpsAgain else { return }
        }
    }

    /// Continues after the others have had their turn.
    private func goOnLater() {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.pump() }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let path = head.uri.prefix { $0 != "?" }
        switch head.method {
        case .OPTIONS:
            return answer(
                head, .noContent,
                headers: [
                    "Access-Control-Allow-Origin: *",
                    "Access-Control-Allow-Methods: GET, HEAD, OPTIONS",
                    "Access-Control-Allow-Headers: *",
                ], context: context)
        case .GET, .HEAD: break
        default:
            core.store.countRefused(EdgeKind(file: path))
            return answer(
                head, .methodNotAllowed, headers: ["Allow: GET, HEAD, OPTIONS"],
                body: "An edge answers GET, HEAD and OPTIONS.\n", context: context)
        }
        if path == "/api/v1/edge" { return answerStatus(head, context, asMetrics: false) }
        if path == "/metrics" { return answerStatus(head, context, asMetrics: true) }
        // A stream without an end cannot be cached.
        guard !path.hasSuffix(".flv") else {
            core.store.countRefused(.other)
            return answer(
                head, .notFound,
                body: "An edge caches HLS, whose files end; play HTTP-FLV at the origin.\n",
                context: context)
        }
        let via = head.headers[canonicalForm: "via"].joined(separator: ", ")
        do {
            guard !via.contains(core.name) else {
                core.store.countRefused(EdgeKind(file: path))
                return answer(
                    head, .loopDetected,
                    body: "This edge is its own origin; give --origin another address.\n",
                    context: context)
            }
            let target = try EdgeTarget(head.uri)
            look(target, head, via: String(via.prefix(1024)))
        } catch {
            core.store.countRefused(.other)
            switch error {
            case .badRequest(let why): answer(head, .badRequest, body: why, context: context)
            case .tooLong:
                answer(
                    head, .uriTooLong,
                    body: "Path and query are longer than \(EdgeTarget.longest) bytes.\n",
                    context: context)
            }
        }
    }

    private func look(_ target: EdgeTarget, _ head: HTTPRequestHead, via: String) {
        let lookup = core.store.look(target, at: OriginPool.now)
        var response = Response(
            object: lookup.object, disposition: "hit", isOwner: false,
            isHead: head.method == .HEAD,
            range: head.headers.contains(name: "if-range")
                ? nil : head.headers.first(name: "range"),
            keepsAlive: head.isKeepAlive,
            isHTTP11: head.version.major > 1 || head.version.minor > 0, via: via)
        switch lookup {
        case .hit: current = response
        case .joined(let object):
            response.disposition = "collapsed"
            current = response
            object.add(self)
        case .fetch(let object):
            response.disposition = "miss"
            response.isOwner = true
            current = response
            object.add(self)
            core.pool.start(EdgeFetch(object, via: via))
        }
    }

    // MARK: Answers

    /// Continues the response. Returns false if it has to wait.
    private func advance(_ context: ChannelHandlerContext) -> Bool {
        guard var response = current else { return false }
        let object = response.object
        if case .failed(let failure) = object.state {
            current = nil
            core.store.countFailure(object.target.kind)
            // A response that has begun can only be aborted.
            guard !response.hasHead else {
                cut()
                return false
            }
            write(
                failure.status,
                headers: ["X-Cache: \(response.disposition)", "Access-Control-Allow-Origin: *"],
                body: failure.reason, isHead: response.isHead, keepsAlive: response.keepsAlive,
                context: context)
            return true
        }
        guard let head = object.head else { return false }
        if !response.hasHead {
            if head.freshness.isPrivate, !response.isOwner {
                object.remove(self, at: OriginPool.now)
                let own = core.store.fetchAlone(
                    object.target, at: OriginPool.now)
                response.object = own
                response.isOwner = true
                response.disposition = "miss"
                current = response
                own.add(self)
                core.pool.start(EdgeFetch(own, via: response.via))
                return true
            }
            // The length of a range depends on the length of the whole object.
            if response.range != nil, head.status == .ok, object.length == nil { return false }
            let text = Self.begin(&response, head, now: OriginPool.now)
            response.hasHead = true
            response.begunAt = OriginPool.now
            current = response
            context.write(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
        let isDone = writeBody(&response, context)
        guard isDone else {
            current = response
            return false
        }
        object.remove(self, at: OriginPool.now)
        current = nil
        idleSince = OriginPool.now
        if !response.keepsAlive { closeAfterWriting(context) }
        return true
    }

    /// Sends bytes that have arrived, as long as the socket accepts them. Returns true once the
    /// body is complete.
    private func writeBody(_ response: inout Response, _ context: ChannelHandlerContext) -> Bool {
        let object = response.object
        let isChunked = response.end == nil && response.isHTTP11
        while context.channel.isWritable {
            if let end = response.end, response.offset >= end { return true }
            let limit = min(Self.sliceLimit, (response.end ?? .max) - response.offset)
            guard let bytes = object.slice(from: response.offset, limit: limit) else {
                guard object.state == .whole else { return false }
                if isChunked {
                    context.write(wrapOutboundOut(ByteBuffer(string: "0\r\n\r\n")), promise: nil)
                }
                return true
            }
            response.offset += bytes.readableBytes
            core.store.countSent(bytes.readableBytes, object.target.kind)
            if isChunked {
                let size = String(bytes.readableBytes, radix: 16) + "\r\n"
                context.write(wrapOutboundOut(ByteBuffer(string: size)), promise: nil)
            }
            context.write(wrapOutboundOut(bytes), promise: nil)
            if isChunked {
                context.write(wrapOutboundOut(ByteBuffer(string: "\r\n")), promise: nil)
            }
        }
        return response.end.map { response.offset >= $0 } ?? false
    }

    /// Sends a response that the edge itself makes.
    private func answer(
        _ request: HTTPRequestHead, _ status: HTTPResponseStatus, headers: [String] = [],
        body: String = "", context: ChannelHandlerContext
    ) {
        write(
            status,
            headers: headers
                + ["Access-Control-Allow-Origin: *"].filter { line in
                    !headers.contains(line)
                }, body: body, isHead: request.method == .HEAD, keepsAlive: request.isKeepAlive,
            context: context)
    }

    func write(
        _ status: HTTPResponseStatus, headers: [String], body: String, isHead: Bool,
        keepsAlive: Bool, context: ChannelHandlerContext
    ) {
        var text = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\nServer: millrace\r\n"
        for line in headers { text += line + "\r\n" }
        if !body.isEmpty, !headers.contains(where: { $0.hasPrefix("Content-Type:") }) {
            text += "Content-Type: text/plain; charset=utf-8\r\n"
        }
        text += "Cache-Control: no-store\r\n"
        if !keepsAlive { text += "Connection: close\r\n" }
        if status != .noContent { text += "Content-Length: \(body.utf8.count)\r\n" }
        text += "\r\n"
        if !isHead { text += body }
        context.write(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        idleSince = OriginPool.now
        if !keepsAlive { closeAfterWriting(context) }
    }

    private func closeAfterWriting(_ context: ChannelHandlerContext) {
        isClosing = true
        queue.removeAll()
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(promise: nil)
        }
    }

    // MARK: Time

    /// Runs once a second: closes connections of clients that send no request, and of clients that
    /// do not read their response or read it too slowly.
    func sweep(at now: Int64, _ configuration: EdgeConfiguration) {
        guard let context else { return }
        let queued = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if queued > 0 {
            // A client that reads a few bytes now and then would keep a whole object in memory.
            let begun = current.map { Double(now - $0.begunAt) / 1e9 } ?? 0
            let least = Double(max(0, (current?.offset ?? 0) - queued)) / HLSConnection.leastRate
            if begun > configuration.stalledClientSeconds + least { return cut() }
            if let progress, progress.queued == queued {
                let seconds = Double(now - progress.since) / 1e9
                if seconds > configuration.stalledClientSeconds { cut() }
            } else {
                progress = (queued, now)
            }
            return
        }
        progress = nil
        // For a request that waits for the origin, the origin's time-out holds instead.
        if current == nil, Double(now - idleSince) / 1e9 > configuration.keepAliveSeconds { cut() }
    }
}
