import NIOCore
import NIOHTTP1

/// Reason why a request is refused; the connection ends after the response (RFC 9112, 2.2 and 3).
struct HTTPRequestFault: Error, CustomStringConvertible {
    var status: HTTPResponseStatus
    /// Text for the client.
    var description: String

    /// The whole response.
    var answer: ByteBuffer {
        let body = description + "\n"
        return ByteBuffer(
            string: "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\nServer: millrace\r\n"
                + "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    init(_ status: HTTPResponseStatus, _ description: String) {
        self.status = status
        self.description = description
    }

    /// Makes a fault from the parser's error.
    init(_ error: HTTPParserError) {
        self =
            switch error {
            case .headerOverflow:
                .init(
                    .requestHeaderFieldsTooLarge,
                    "The request's head is too long: at most \(HTTPRequestGuard.fieldLimit) bytes a line, \(HTTPRequestGuard.headLimit) together and \(HTTPRequestGuard.fieldCount) fields are taken."
                )
            case .invalidVersion:
                .init(.httpVersionNotSupported, "HTTP/1.0 and HTTP/1.1 are spoken here.")
            case .unexpectedContentLength:
                .init(
                    .badRequest,
                    "The request has more than one length; it may have Content-Length or Transfer-Encoding, once."
                )
            default: .init(.badRequest, "This is no request of HTTP/1.1: \(error).")
            }
    }
}

/// Stands between the parser and the handler. Requests that RFC 9112 allows pass, as one `head` and
/// one `end` each; any other one becomes an `HTTPRequestFault`, after which no more is read.
///
/// A body means nothing to any of our resources. It is read and dropped before its request passes,
/// so that the bytes after it are the next request.
final class HTTPRequestGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    static let fieldLimit = 16 << 10
    static let headLimit = 64 << 10
    static let fieldCount = 100
    static let bodyLimit = 64 << 10

    private var head: HTTPRequestHead?
    private var bodyBytes = 0
    private var isDone = false

    /// Makes the parser with our limits.
    static func decoder() -> ByteToMessageHandler<HTTPRequestDecoder> {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = fieldLimit
        limits.maxHeaderListSize = headLimit
        limits.maxHeaderFieldCount = fieldCount
        return ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            do throws(HTTPRequestFault) {
                let checked = try Self.checked(head)
                let length = checked.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
                guard length <= Self.bodyLimit else { throw Self.tooLong }
                bodyBytes = 0
                guard length > 0 || checked.headers.contains(name: "transfer-encoding") else {
                    return context.fireChannelRead(wrapInboundOut(.head(checked)))
                }
                self.head = checked
                if checked.headers[canonicalForm: "expect"].contains("100-continue") {
                    let go = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
                    context.writeAndFlush(wrapOutboundOut(go), promise: nil)
                }
            } catch {
                fail(error, context)
            }
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            if bodyBytes > Self.bodyLimit { fail(Self.tooLong, context) }
        case .end:
            if let head {
                self.head = nil
                context.fireChannelRead(wrapInboundOut(.head(head)))
            }
            context.fireChannelRead(wrapInboundOut(.end(nil)))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            return context.fireErrorCaught(error)
        }
        // A peer that leaves in the middle of a request gets no response.
        guard error != .invalidEOFState, error != .closedConnection else {
            return context.fireErrorCaught(error)
        }
        guard !isDone else { return }
        fail(HTTPRequestFault(error), context)
    }

    private func fail(_ fault: HTTPRequestFault, _ context: ChannelHandlerContext) {
        isDone = true
        head = nil
        context.fireErrorCaught(fault)
    }

    private static let tooLong = HTTPRequestFault(
        .payloadTooLarge,
        "A request's body means nothing here; at most \(bodyLimit) bytes are read."
    )

    /// Returns the request with its target in origin form.
    static func checked(_ head: HTTPRequestHead) throws(HTTPRequestFault) -> HTTPRequestHead {
        guard head.version.major == 1 else {
            throw HTTPRequestFault(
                .httpVersionNotSupported, "HTTP/1.0 and HTTP/1.1 are spoken here.")
        }
        let hosts = head.headers["host"]
        guard hosts.count < 2 else {
            throw HTTPRequestFault(.badRequest, "The request has \(hosts.count) Host fields.")
        }
        guard head.version.minor == 0 || hosts.count == 1 else {
            throw HTTPRequestFault(.badRequest, "A request of HTTP/1.1 needs a Host field.")
        }
        guard hosts.allSatisfy({ $0.utf8.allSatisfy(mayStandInHost) }) else {
            throw HTTPRequestFault(.badRequest, "The Host field names no host.")
        }
        let codings = head.headers[canonicalForm: "transfer-encoding"]
        if !codings.isEmpty {
            guard !head.headers.contains(name: "content-length") else {
                throw HTTPRequestFault(
                    .badRequest, "The request has both Content-Length and Transfer-Encoding.")
            }
            guard codings.map({ $0.lowercased() }) == ["chunked"] else {
                throw HTTPRequestFault(
                    .notImplemented, "No Transfer-Encoding but chunked is understood.")
            }
        }
        var head = head
        head.uri = try originForm(head.uri, head.method)
        return head
    }

    /// Whether a host may contain the byte: letters, digits and the signs of names, addresses and
    /// ports (RFC 3986, 3.2.2).
    private static func mayStandInHost(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~!$&'()*+;=:[]%".utf8.contains(byte)
        }
    }

    /// Converts a target to origin form. A server accepts absolute form too, and the Host field
    /// then means nothing (RFC 9112, 3.2).
    private static func originForm(
        _ target: String, _ method: HTTPMethod
    ) throws(HTTPRequestFault) -> String {
        if target.hasPrefix("/") || target == "*" && method == .OPTIONS { return target }
        for scheme in ["http://", "https://"]
        where target.prefix(scheme.count).lowercased() == scheme {
            let rest = target.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            guard end > rest.startIndex, rest[..<end].utf8.allSatisfy(mayStandInHost) else { break }
            let path = rest[end...]
            return path.hasPrefix("/") ? String(path) : "/" + path
        }
        if method == .CONNECT {
            throw HTTPRequestFault(.methodNotAllowed, "This server is no proxy.")
        }
        throw HTTPRequestFault(.badRequest, "The request's target is no path and no URL.")
    }
}
