import struct HTTPWire.HTTPURL
import NIOCore
import NIOHTTP1
import NIOSSL
import Sockets

/// One fetch of an object.
final class EdgeFetch {
    let object: EdgeObject
    /// Via header of the client that triggered the fetch; empty = none.
    let via: String
    /// Whether the request was sent again because a kept connection had closed.
    var isRetried = false

    init(_ object: EdgeObject, via: String) {
        self.object = object
        self.via = via
    }
}

/// A connection to the origin that carries one request after the other, across the WAN.
final class OriginConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let pool: OriginPool
    private var context: ChannelHandlerContext?
    private var fetch: EdgeFetch?
    /// Parts of responses that were read but have not crossed the WAN yet.
    private var line = CircularBuffer<(time: Int64, part: HTTPClientResponsePart, bytes: Int)>()
    private var isDelivering = false
    private var keepsAlive = true
    private var hasHead = false
    /// Whether the response ends with the connection.
    private var endsWithConnection = false
    /// Whether the connection broke, or ended without TLS's close_notify.
    private var isTruncated = false
    /// Whether the channel has closed. Parts in `line` are still delivered.
    private var isClosed = false
    /// Whether the connection has carried a request before, so that the origin may have closed it
    /// in the meantime.
    private var isReused = false
    private var isPaused = false
    /// Time in nanoseconds of the last byte sent or received, or of the last pause in reading.
    private var heardAt: Int64 = 0
    /// Time in nanoseconds when the fetch began on this connection. It may have waited for a
    /// connection before.
    private var carriedAt: Int64 = 0

    init(_ pool: OriginPool) { self.pool = pool }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Requests

    /// Begins a fetch; the request is sent after the delay of the WAN.
    func carry(_ fetch: EdgeFetch) {
        self.fetch = fetch
        hasHead = false
        keepsAlive = true
        let now = OriginPool.now
        heardAt = now
        carriedAt = now
        // The handshake of a new connection takes a round trip.
        let wait = pool.link.delay * (isReused ? 1 : 3)
        guard wait > 0, let context else { return send() }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .nanoseconds(wait)) { bound.value.send() }
    }

    private func send() {
        guard let fetch, let context, !isClosed else { return lost(nil) }
        heardAt = OriginPool.now
        pool.store.countOriginRequest(fetch.object.target.kind)
        var head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: fetch.object.target.key)
        head.headers.add(name: "Host", value: pool.origin.authority)
        head.headers.add(name: "User-Agent", value: "millrace-edge")
        head.headers.add(name: "Accept", value: "*/*")
        head.headers.add(
            name: "Via", value: (fetch.via.isEmpty ? "" : fetch.via + ", ") + "1.1 \(pool.name)")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    // MARK: Answers

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        let now = OriginPool.now
        heardAt = now
        var bytes = 0
        switch part {
        case .head(let head):
            bytes = head.headers.reduce(32) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        case .body(let buffer): bytes = buffer.readableBytes
        case .end: break
        }
        let time = pool.link.carry(bytes, at: now)
        guard time > now || !line.isEmpty else { return deliver(part) }
        line.append((time, part, bytes))
        pool.onTheWay += bytes
        deliverLater()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        pauseIfNeeded(context)
        context.fireChannelReadComplete()
    }

    /// Pauses reading while the link is booked ahead. Bytes that the link cannot carry yet stay in
    /// the socket, and so at the origin.
    private func pauseIfNeeded(_ context: ChannelHandlerContext) {
        let now = OriginPool.now
        guard !isClosed, let time = pool.link.pause(at: now, onTheWay: pool.onTheWay) else {
            guard isPaused else { return }
            isPaused = false
            try? context.channel.syncOptions?.setOption(.autoRead, value: true)
            return
        }
        if !isPaused { try? context.channel.syncOptions?.setOption(.autoRead, value: false) }
        isPaused = true
        heardAt = now
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .nanoseconds(max(1_000_000, time - now))) {
            guard let context = bound.value.context else { return }
            bound.value.pauseIfNeeded(context)
        }
    }

    private func deliverLater() {
        guard !isDelivering, let first = line.first else { return }
        isDelivering = true
        let bound = NIOLoopBound(self, eventLoop: pool.eventLoop)
        pool.eventLoop.scheduleTask(in: .nanoseconds(max(0, first.time - OriginPool.now))) {
            let connection = bound.value
            connection.isDelivering = false
            let now = OriginPool.now
            while let next = connection.line.first, next.time <= now {
                connection.line.removeFirst()
                connection.pool.onTheWay -= next.bytes
                connection.deliver(next.part)
            }
            if connection.line.isEmpty, connection.isClosed { connection.lost(nil) }
            connection.deliverLater()
        }
    }

    private func deliver(_ part: HTTPClientResponsePart) {
        guard let fetch else { return }
        var failure: EdgeFailure?
        switch part {
        case .head(let head):
            hasHead = true
            keepsAlive = head.isKeepAlive
            endsWithConnection = Self.endsWithConnection(head)
            failure = pool.store.received(head, of: fetch.object, at: OriginPool.now)
        case .body(let bytes): failure = pool.store.received(bytes, of: fetch.object)
        case .end where endsWithConnection && isTruncated:
            failure = EdgeFailure(status: .badGateway, reason: reason(nil))
        case .end:
            self.fetch = nil
            isReused = true
            pool.store.finished(fetch.object, at: OriginPool.now)
            if keepsAlive, !isClosed {
                pool.released(self)
            } else {
                close()
            }
        }
        if let failure { fail(failure) }
    }

    /// Whether only the end of the connection ends the body (RFC 9112, 6.3).
    private static func endsWithConnection(_ head: HTTPResponseHead) -> Bool {
        let coding = head.headers[canonicalForm: "transfer-encoding"].last?.lowercased()
        return head.status.mayHaveResponseBody && coding != "chunked"
            && !head.headers.contains(name: "content-length")
    }

    // MARK: Ends

    /// Whether the connection carries a fetch.
    var isBusy: Bool { fetch != nil }

    /// Whether the connection carries a blocking reload, which the origin may hold back until there
    /// is a new version.
    var carriesHeld: Bool { fetch?.object.target.isBlocking ?? false }

    /// Seconds since the last byte was sent or received.
    func silence(at now: Int64) -> Double { Double(now - heardAt) / 1e9 }

    /// Seconds since the fetch began on this connection, if it has brought less than
    /// `OriginPool.slowBytesPerSecond` on average; nil if it is faster, is a blocking reload, or if
    /// there is none.
    func slowness(at now: Int64) -> Double? {
        guard let fetch, !fetch.object.target.isBlocking else { return nil }
        let seconds = Double(now - carriedAt) / 1e9
        return Double(fetch.object.count) < seconds * Double(OriginPool.slowBytesPerSecond)
            ? seconds : nil
    }

    /// Seconds since a client requested the object, including its wait for a connection; 0 if the
    /// connection carries no fetch.
    func fetchAge(at now: Int64) -> Double {
        fetch.map { Double(now - $0.object.askedAt) / 1e9 } ?? 0
    }

    /// Seconds since the last client stopped waiting for the fetch; nil while a client waits.
    func abandoned(at now: Int64) -> Double? {
        fetch?.object.abandonedAt.map { Double(now - $0) / 1e9 }
    }

    func fail(_ failure: EdgeFailure) {
        if let fetch {
            self.fetch = nil
            pool.store.failed(fetch.object, failure)
        }
        close()
    }

    func close() {
        isClosed = true
        for entry in line { pool.onTheWay -= entry.bytes }
        line.removeAll()
        context?.close(promise: nil)
        pool.gone(self)
    }

    /// Handles a broken connection. A request that was sent on a kept connection and received no
    /// head of a response is sent again once, which is allowed for GET (RFC 9110, 9.2.2).
    private func lost(_ error: (any Error)?) {
        isClosed = true
        guard line.isEmpty else { return }
        let interrupted = fetch
        fetch = nil
        close()
        guard let interrupted else { return }
        if isReused, !hasHead, !interrupted.isRetried {
            interrupted.isRetried = true
            pool.again(interrupted)
        } else {
            pool.store.failed(
                interrupted.object, EdgeFailure(status: .badGateway, reason: reason(error)))
        }
    }

    private func reason(_ error: (any Error)?) -> String {
        if let error, error is NIOSSLError || error is NIOSSLExtraError {
            return "The edge has no connection to its origin \(pool.origin.origin): "
                + "\(TLSError.explanation(error)).\n"
        }
        let why = error.map { ": \($0)" } ?? ""
        return "The origin closed the connection in mid-answer\(why); ask again, "
            + "and look at the origin's log.\n"
    }

    func channelInactive(context: ChannelHandlerContext) {
        lost(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isTruncated = true
        // Some servers close without TLS's close_notify. Content-Length or the last chunk then
        // shows whether the response is complete (RFC 9112, 9.8).
        if case NIOSSLError.uncleanShutdown = error { return }
        lost(error)
    }
}
