package import HTTPWire
package import NIOCore
import NIOPosix
import NIOSSL
package import Sockets
import Synchronization

/// Reason why a resource cannot be fetched at all; a response with a status other than 200 is not
/// such an error.
public struct FetchError: Error, Sendable, CustomStringConvertible {
    public var description: String
    /// Whether a limit of this program is the reason, and not a fault of the server.
    package var isOwnLimit = false

    public init(_ description: String) { self.description = description }

    package static func ownLimit(_ description: String) -> FetchError {
        var error = FetchError(description)
        error.isOwnLimit = true
        return error
    }
}

/// Result of a fetch.
package struct FetchedAnswer: Sendable {
    /// The URL that sent the answer, after redirects.
    package var url: HTTPURL
    package var head: HTTPResponseHead
    /// The body without codings.
    package var body: [UInt8]
    /// Seconds from the request to the answer's end.
    package var seconds: Double
}

/// Fetches over HTTP/1.1 as a player does, with redirects, cookies and codings; each fetch has a
/// connection of its own.
package final class HTTPGetter: Sendable {
    /// Largest body in bytes unless the caller gives another limit; a larger one is an error.
    package static let bodyLimit = 256 << 20

    /// What the requests say of their sender.
    package struct Sender: Sendable {
        /// User-Agent of the requests.
        package var agent: String
        /// Origin header of the requests; nil = none.
        package var origin: String?

        package init(agent: String = "millrace", origin: String? = nil) {
            (self.agent, self.origin) = (agent, origin)
        }
    }

    private let group: any EventLoopGroup
    private let tls: NIOSSLContext?
    private let cookies = Mutex(CookieJar())
    /// The URL that the user named. Its credentials hold for all of its server (RFC 9110, 11.5),
    /// and no message shows them.
    private let entry: HTTPURL
    private let sender: Sender
    private let limit: Int

    /// - Parameters:
    ///   - trust: Authorities for https.
    ///   - bodyLimit: Largest body in bytes.
    /// - Throws: `FetchError` if authorities cannot be read.
    package init(
        _ entry: HTTPURL, group: any EventLoopGroup, trust: TLSTrust, sender: Sender = Sender(),
        bodyLimit: Int = HTTPGetter.bodyLimit
    ) throws(FetchError) {
        self.entry = entry
        self.group = group
        self.sender = sender
        limit = bodyLimit
        let isSecure = entry.isSecure
        do {
            // Redirects may lead to https. The system's authorities are read only if TLS is needed,
            // because reading them takes long.
            tls = isSecure || trust != TLSTrust() ? try trust.context() : nil
        } catch {
            throw FetchError("\(error)")
        }
    }

    /// - Parameters:
    ///   - range: Bytes for a Range header.
    ///   - timeout: Time for the whole response.
    /// - Throws: `FetchError` if no response comes.
    package func get(
        _ url: String, range: Range<Int>? = nil, timeout: Duration = .seconds(15)
    ) async throws(FetchError) -> FetchedAnswer {
        var redirects = HTTPRedirects()
        let start = ContinuousClock.now
        do {
            var next = try HTTPURL(url)
            while true {
                var (head, body) = try await once(next, range, timeout)
                let now = Clock.realTimeSeconds()
                cookies.withLock { $0.take(head, from: next, now: now) }
                if let target = try redirects.next(head, from: next) {
                    next = target
                    continue
                }
                body = try Self.requested(range, of: body, head, next)
                return FetchedAnswer(
                    url: next, head: head, body: body,
                    seconds: (ContinuousClock.now - start) / .seconds(1))
            }
        } catch let error as FetchError {
            throw error
        } catch {
            throw FetchError("\(error)")
        }
    }

    /// Returns the requested part of a body: a server may send the whole resource (RFC 9110, 14.2).
    private static func requested(
        _ range: Range<Int>?, of body: [UInt8], _ head: HTTPResponseHead, _ url: HTTPURL
    ) throws -> [UInt8] {
        guard let range, head.isSuccess else { return body }
        if head.status == 206 {
            guard let told = head.contentRange, told.bytes.lowerBound != range.lowerBound else {
                return body
            }
            throw FetchError(
                "\(url): bytes \(range.lowerBound)-\(range.upperBound - 1) were asked for, and the server answers with Content-Range \(head.first("content-range") ?? "")"
            )
        }
        return Array(body.dropFirst(range.lowerBound).prefix(range.count))
    }

    /// Sends one request and returns its response, whatever its status is, with the body decoded.
    private func once(
        _ url: HTTPURL, _ range: Range<Int>?, _ timeout: Duration
    ) async throws -> (HTTPResponseHead, [UInt8]) {
        let loop = group.next()
        let promise = loop.makePromise(of: (HTTPResponseHead, [UInt8]).self)
        let time = TimeAmount.nanoseconds(Int64(timeout / .nanoseconds(1)))
        var authorised = url
        if url.credentials == nil, url.isAtServer(of: entry) {
            authorised.credentials = entry.credentials
        }
        var request = HTTPRequest(authorised, agent: sender.agent, range: range)
        request.acceptsCoding = range == nil
        request.closesAfterwards = true
        request.origin = sender.origin
        let now = Clock.realTimeSeconds()
        request.cookies = cookies.withLock { $0.header(for: url, now: now) }
        let (text, limit) = (ByteBuffer(bytes: request.bytes), limit)
        do {
            let tls = url.isSecure ? try tls ?? TLSTrust().context() : nil
            let bootstrap = ClientBootstrap(group: loop)
                .connectTimeout(min(time, .seconds(10)))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            try channel.pipeline.syncOperations.addHandler(
                                TLSTrust.handler(tls, host: url.host))
                        }
                        try channel.pipeline.syncOperations.addHandler(
                            ResponseCollector(promise, limit: limit))
                    }
                }
            let channel = try await bootstrap.connect(host: url.host, port: url.port).get()
            let alarm = loop.scheduleTask(in: time) {
                promise.fail(FetchError("\(url): no whole answer within \(timeout)"))
            }
            channel.writeAndFlush(text, promise: nil)
            let result = await withTaskCancellationHandler {
                await Task { try await promise.futureResult.get() }.result
            } onCancel: {
                promise.fail(FetchError("\(url): interrupted"))
            }
            alarm.cancel()
            channel.close(promise: nil)
            let (head, body) = try result.get()
            return (head, try decoded(body, head, url))
        } catch let error as FetchError {
            promise.fail(error)
            throw error
        } catch {
            promise.fail(error)
            throw FetchError(
                isRefusal(error)
                    ? "nothing listens at \(url.authority); is the server running there?"
                    : url.isSecure && (error is NIOSSLError || error is NIOSSLExtraError)
                        ? "\(url): \(TLSError.explanation(error))"
                        : "\(url): \(connectFailure(error))")
        }
    }

    private func decoded(
        _ body: [UInt8], _ head: HTTPResponseHead, _ url: HTTPURL
    ) throws -> [UInt8] {
        guard !head.contentCoding.isEmpty else { return body }
        do {
            return try ContentDecoder.whole(
                body, codings: head.contentCoding, limit: limit)
        } catch {
            throw FetchError("\(url): \(error)")
        }
    }
}

/// Collects one response.
private final class ResponseCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<(HTTPResponseHead, [UInt8])>
    private let limit: Int
    private var reader = HTTPResponseReader()
    private var head = HTTPResponseHead()
    private var body: [UInt8] = []

    init(_ promise: EventLoopPromise<(HTTPResponseHead, [UInt8])>, limit: Int) {
        self.promise = promise
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
                try reader.receive(bytes) { event in
                    switch event {
                    case .head(let head): self.head = head
                    case .body(let range):
                        guard body.count + range.count <= limit else {
                            throw FetchError.ownLimit(
                                "the answer is longer than \(limit >> 20) MiB, and is not read")
                        }
                        body.append(contentsOf: bytes[range])
                    case .end: promise.succeed((head, body))
                    }
                }
            }
        } catch {
            promise.fail(error)
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A server that closes without TLS's close_notify has sent everything all the same (RFC
        // 9112, 9.8).
        if case NIOSSLError.uncleanShutdown = error { return }
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if reader.closed() { return promise.succeed((head, body)) }
        promise.fail(FetchError("the server closed the connection before the answer's end"))
    }
}
