import HLS
import NIOCore
import NIOHTTP1
import NIOPosix
import Sockets

/// An address of plain HTTP.
struct HTTPAddress: Sendable, Hashable {
    var host: String
    var port: Int
    /// Path and query.
    var target: String

    /// Host and port as URLs write them.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    /// - Throws: `FetchError` that says what is taken.
    init(_ url: String) throws(FetchError) {
        guard url.lowercased().hasPrefix("http://") else {
            throw FetchError(
                url.lowercased().hasPrefix("https://")
                    ? "\(url): https is not supported; ask the origin behind the TLS proxy over http"
                    : "\(url) is no URL of http://")
        }
        let rest = url.dropFirst(7).prefix { $0 != "#" }
        let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        var authority = rest[..<slash]
        if let at = authority.lastIndex(of: "@") {
            authority = authority[authority.index(after: at)...]
        }
        target = rest[slash...].hasPrefix("/") ? String(rest[slash...]) : "/\(rest[slash...])"
        let name: Substring
        let number: Substring
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            name = authority[..<end].dropFirst()
            number = authority[authority.index(after: end)...].drop { $0 == ":" }
        } else {
            let colon = authority.firstIndex(of: ":") ?? authority.endIndex
            name = authority[..<colon]
            number = authority[colon...].drop { $0 == ":" }
        }
        guard !name.isEmpty, let port = number.isEmpty ? 80 : Int(number),
            (1...65535).contains(port)
        else { throw FetchError("\(url) names no host and port") }
        host = String(name)
        self.port = port
    }
}

/// Why a resource cannot be had at all; a status other than 200 is an answer.
public struct FetchError: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// What a fetch brought.
struct FetchedResource: Sendable {
    var response: ResponseValidator.Response
    var body: ByteBuffer
    /// From the request to the answer's end.
    var seconds: Double
}

/// Fetches over HTTP/1.1, one connection for each request; no TLS.
struct HTTPGetter: Sendable {
    /// Bytes of a body; a larger one is an error.
    static let bodyLimit = 256 << 20
    /// Redirects followed.
    private static let redirectLimit = 5

    private let group: any EventLoopGroup

    init(group: any EventLoopGroup) { self.group = group }

    /// - Parameters:
    ///   - range: bytes, for a Range header.
    ///   - timeout: for the whole answer.
    /// - Throws: `FetchError` where no answer comes.
    func get(
        _ url: String, range: Range<Int>? = nil, timeout: Duration = .seconds(15)
    ) async throws(FetchError) -> FetchedResource {
        var url = url
        for _ in 0...Self.redirectLimit {
            let resource = try await once(url, range, timeout)
            guard [301, 302, 303, 307, 308].contains(resource.response.status),
                let location = resource.response.headers["location"]
            else { return resource }
            url = URIReference.resolve(location, against: url)
        }
        throw FetchError("\(url): more than \(Self.redirectLimit) redirects")
    }

    private func once(
        _ url: String, _ range: Range<Int>?, _ timeout: Duration
    ) async throws(FetchError) -> FetchedResource {
        let address = try HTTPAddress(url)
        let start = ContinuousClock.now
        let loop = group.next()
        let promise = loop.makePromise(of: (HTTPResponseHead, ByteBuffer).self)
        let limit = TimeAmount.nanoseconds(
            Int64(timeout / .nanoseconds(1)))
        do {
            let bootstrap = ClientBootstrap(group: loop)
                .connectTimeout(min(limit, .seconds(10)))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(
                            ResponseCollector(promise, limit: Self.bodyLimit))
                    }
                }
            let channel = try await bootstrap.connect(host: address.host, port: address.port).get()
            let alarm = loop.scheduleTask(in: limit) {
                promise.fail(FetchError("\(url): no whole answer within \(timeout)"))
            }
            var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: address.target)
            head.headers.add(name: "Host", value: "\(address.host):\(address.port)")
            head.headers.add(name: "User-Agent", value: "millrace-validate-hls")
            head.headers.add(name: "Origin", value: "http://millrace.invalid")
            head.headers.add(name: "Connection", value: "close")
            if let range {
                head.headers.add(
                    name: "Range", value: "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
            }
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
            let result = await withTaskCancellationHandler {
                await Task { try await promise.futureResult.get() }.result
            } onCancel: {
                promise.fail(FetchError("\(url): interrupted"))
            }
            alarm.cancel()
            channel.close(promise: nil)
            let (answer, body) = try result.get()
            var headers: [String: String] = [:]
            for (name, value) in answer.headers {
                headers[name.lowercased()] =
                    headers[name.lowercased()].map { "\($0), \(value)" } ?? value
            }
            return FetchedResource(
                response: .init(url: url, status: Int(answer.status.code), headers: headers),
                body: body, seconds: (ContinuousClock.now - start) / .seconds(1))
        } catch let error as FetchError {
            throw error
        } catch {
            promise.fail(error)
            throw FetchError(
                isRefusal(error)
                    ? "nothing listens at \(address.authority); is the server running there?"
                    : "\(url): \(connectFailure(error))")
        }
    }
}

/// Collects one response.
private final class ResponseCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let promise: EventLoopPromise<(HTTPResponseHead, ByteBuffer)>
    private let limit: Int
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()

    init(_ promise: EventLoopPromise<(HTTPResponseHead, ByteBuffer)>, limit: Int) {
        self.promise = promise
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // 100 and 103 come before the answer.
            if head.status.code >= 200 { self.head = head }
        case .body(let part):
            guard body.readableBytes + part.readableBytes <= limit else {
                promise.fail(FetchError("the answer is longer than \(limit >> 20) MiB"))
                return context.close(promise: nil)
            }
            body.writeImmutableBuffer(part)
        case .end:
            guard let head else { return }
            promise.succeed((head, body))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(FetchError("the server closed the connection before the answer's end"))
    }
}
