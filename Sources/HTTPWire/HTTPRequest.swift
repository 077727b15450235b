/// A client's request (GET) and its bytes.
public struct HTTPRequest: Sendable {
    public var url: HTTPURL
    /// Value of the User-Agent field.
    public var agent: String
    /// Range of bytes of the resource; nil = all.
    public var range: Range<Int>?
    /// Whether the body may arrive compressed, as playlists may. Media is requested without a
    /// coding.
    public var acceptsCoding = false
    /// Whether the request asks the server to close the connection after the response.
    public var closesAfterwards = false
    /// Value of the Cookie field; nil = no field.
    public var cookies: String?
    /// Value of the Origin field; nil = no field.
    public var origin: String?

    public init(_ url: HTTPURL, agent: String, range: Range<Int>? = nil) {
        self.url = url
        self.agent = agent
        self.range = range
    }

    /// The request line and the fields, encoded.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Appends the request line and the fields to `bytes`, whose memory a client uses again and
    /// again.
    public func append(to bytes: inout [UInt8]) {
        func add(_ texts: String...) {
            for text in texts { bytes.append(contentsOf: text.utf8) }
        }
        add("GET ", url.target, " HTTP/1.1\r\nHost: ", url.authority)
        add("\r\nUser-Agent: ", agent, "\r\nAccept: */*\r\nAccept-Encoding: ")
        add(acceptsCoding ? ContentDecoder.acceptEncoding : "identity", "\r\n")
        if let credentials = url.credentials {
            add("Authorization: Basic ", Base64.encoded(Array(credentials.utf8)), "\r\n")
        }
        if let origin { add("Origin: ", origin, "\r\n") }
        if let cookies { add("Cookie: ", cookies, "\r\n") }
        if let range, !range.isEmpty {
            add("Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)\r\n")
        }
        if closesAfterwards { add("Connection: close\r\n") }
        add("\r\n")
    }
}

/// Base64 (RFC 4648, 4), for Basic authentication.
enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encoded(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var value = 0
            for byte in group { value = value << 8 | Int(byte) }
            value <<= 8 * (3 - group.count)
            for place in 0..<4 {
                result.append(
                    place <= group.count
                        ? alphabet[value >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// The rules by which all clients follow redirects (RFC 9110, 15.4).
public struct HTTPRedirects: Sendable {
    /// Reason why a redirect is not followed.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public var description: String
    }

    /// Number of redirects after which a client gives up; browsers stop at 20 and curl at 50.
    public static let most = 20

    /// Number of redirects until now.
    public private(set) var count = 0

    public init() {}

    /// Returns the URL to request next; nil if the response is not a redirect to follow.
    /// - Throws: `Fault` after too many redirects, and for a Location that cannot be followed.
    public mutating func next(
        _ head: HTTPResponseHead, from url: HTTPURL
    ) throws(Fault) -> HTTPURL? {
        guard head.isRedirect, let location = head.location else { return nil }
        count += 1
        guard count <= Self.most else {
            throw Fault(description: "\(url): more than \(Self.most) redirects")
        }
        do {
            return try url.resolving(location)
        } catch {
            throw Fault(
                description:
                    "\(url) is answered with \(head.statusText), to a Location that cannot be followed: \(error)"
            )
        }
    }
}
