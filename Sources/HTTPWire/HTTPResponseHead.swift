/// The head of an HTTP/1.1 response (RFC 9112, 4 and 5), in the detail that media clients need.
public struct HTTPResponseHead: Hashable, Sendable {
    /// Content-Range of a partial response (206), in bytes.
    public struct ContentRange: Hashable, Sendable {
        /// Offsets of the body's bytes in the whole resource.
        public var bytes: Range<Int>
        /// Length of the whole resource in bytes; nil if the server does not give it ('*').
        public var total: Int?
    }

    public var status = 0
    /// Text after the status in the first line.
    public var reason = ""
    /// Length of the body in bytes; nil if the head does not give it, or has a Transfer-Encoding,
    /// which overrides it.
    public var contentLength: Int?
    /// Whether the body has the transfer coding `chunked`.
    public var isChunked = false
    /// Whether the connection can take another request after this response.
    public var keepsAlive = true
    /// Fields in order of arrival, with names in lower case; a name may occur several times.
    public var fields: [(name: String, value: String)] = []
    /// Length of the head in bytes.
    public var byteCount = 0

    public init(status: Int = 0) { self.status = status }

    public var isSuccess: Bool { (200..<300).contains(status) }
    /// Whether the status is a redirect's. The response also needs a Location to be followed.
    public var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }

    /// Returns the values of a field, joined by commas; nil if the field is absent.
    public subscript(_ name: String) -> String? {
        var value: String?
        for field in fields where field.name == name {
            value = value.map { "\($0), \(field.value)" } ?? field.value
        }
        return value
    }

    /// Returns the values of a field in order of arrival. The name is in lower case.
    public func all(_ name: String) -> [String] {
        fields.compactMap { $0.name == name ? $0.value : nil }
    }

    /// Returns the first value of a field, for fields that may occur only once.
    public func first(_ name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// Delimitation of the body (RFC 9112, 6.3). It does not apply to a response to HEAD.
    public var bodyLength: HTTPBodyFraming.Length {
        if status == 204 || status == 304 { return .bytes(0) }
        if isChunked { return .chunked }
        return contentLength.map { .bytes($0) } ?? .untilClose
    }

    public var location: String? { first("location") }
    /// Value of Content-Encoding; "" if the body is not coded.
    public var contentCoding: String {
        guard let value = self["content-encoding"] else { return "" }
        return ContentDecoder.isIdentity(value) ? "" : value
    }
    /// Content-Range in bytes; nil if the field is absent, has another unit or is invalid.
    public var contentRange: ContentRange? { first("content-range").flatMap(ContentRange.init) }

    /// Returns the time to wait in seconds, from 0 to 86,400 (Retry-After; RFC 9110, 10.2.3); nil
    /// if the field is absent or cannot be read.
    /// - Parameter now: Seconds since 1970, for servers that give a date.
    public func retryAfter(now: Double) -> Int? {
        guard let value = first("retry-after") else { return nil }
        if let seconds = Int(value) { return max(0, min(seconds, 86_400)) }
        guard let date = HTTPDate.seconds(value) else { return nil }
        return Int(max(0, min(Double(date) - now, 86_400)).rounded(.up))
    }

    /// Status and reason for a message, such as `403 Forbidden`.
    public var statusText: String {
        let text = reason.isEmpty ? Self.standardReason(status) : reason.printable(limit: 200)
        return text.isEmpty ? "\(status)" : "\(status) \(text)"
    }

    /// Returns the reason phrase (RFC 9110, 15) of a status that media servers send; "" for other
    /// statuses.
    public static func standardReason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 410: "Gone"
        case 416: "Range Not Satisfiable"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: ""
        }
    }

    public static func == (a: Self, b: Self) -> Bool {
        a.status == b.status && a.reason == b.reason && a.contentLength == b.contentLength
            && a.isChunked == b.isChunked && a.keepsAlive == b.keepsAlive
            && a.byteCount == b.byteCount && a.fields.count == b.fields.count
            && zip(a.fields, b.fields).allSatisfy { $0 == $1 }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(status)
        hasher.combine(byteCount)
    }
}

extension HTTPResponseHead.ContentRange {
    /// Reads `bytes 0-499/1234` or `bytes 0-499/*`; nil for other units and for invalid ranges.
    init?(_ text: String) {
        let words = text.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "bytes" else { return nil }
        let parts = words[1].split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let ends = parts[0].split(separator: "-", maxSplits: 1)
        guard ends.count == 2, let first = Int(ends[0]), let last = Int(ends[1]),
            first >= 0, last >= first, last < Int.max
        else { return nil }
        bytes = first..<last + 1
        if parts[1] != "*" {
            guard let total = Int(parts[1]), total > last else { return nil }
            self.total = total
        }
    }
}

/// Parsing of a complete head: the first line and the fields.
extension HTTPResponseHead {
    /// - Parameter bytes: The head, including the empty line that ends it.
    /// - Throws: `Fault` if the bytes are not an HTTP/1 head, or its Content-Length is invalid.
    public init(parsing bytes: some Collection<UInt8>) throws(HTTPResponseReader.Fault) {
        let bytes = Array(bytes)
        byteCount = bytes.count
        var rest = bytes[...]
        try readStart(Self.nextLine(&rest), of: bytes)
        while !rest.isEmpty {
            let line = Self.nextLine(&rest)
            guard let first = line.first else { break }
            if first == 0x20 || first == 0x09 {
                // A folded line (RFC 9112, 5.2) continues the previous field's value.
                if !fields.isEmpty { fields[fields.count - 1].value += " " + Self.text(line) }
                continue
            }
            // Some servers send lines without a colon. They are not fields and are skipped.
            guard let colon = line.firstIndex(of: 0x3A) else { continue }
            fields.append((Self.name(line[..<colon]), Self.text(line[(colon + 1)...])))
        }
        try readFraming()
    }

    /// Reads the first line of the head that is made of `bytes`.
    private mutating func readStart(
        _ line: ArraySlice<UInt8>, of bytes: [UInt8]
    ) throws(HTTPResponseReader.Fault) {
        let words = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8),
            let status = Self.status(words[1])
        else {
            let shown = String(decoding: bytes.prefix(200), as: UTF8.self).prefix(40)
            throw .init(reason: "the answer is no HTTP/1 response: '\(shown.printable)'")
        }
        self.status = status
        reason = words.count > 2 ? Self.text(words[2]) : ""
        keepsAlive = !words[0].elementsEqual("HTTP/1.0".utf8)
    }

    /// Returns a status of three digits, 100…999; nil for other words.
    private static func status(_ word: ArraySlice<UInt8>) -> Int? {
        guard word.count == 3 else { return nil }
        var status = 0
        for byte in word {
            guard (0x30...0x39).contains(byte) else { return nil }
            status = status * 10 + Int(byte - 0x30)
        }
        return status >= 100 ? status : nil
    }

    /// Removes the first line from `rest`. Returns it without its end, which is LF or CRLF.
    private static func nextLine(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = rest.startIndex
        let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
        let hasReturn = end > start && rest[end - 1] == 0x0D
        let line = rest[start..<(hasReturn ? end - 1 : end)]
        rest = rest[min(end + 1, rest.endIndex)...]
        return line
    }

    /// Returns bytes as a text without blanks, tabs and carriage returns at its ends.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: trimmed(bytes), as: UTF8.self)
    }

    /// Returns the name of a field in lower case.
    private static func name(_ bytes: ArraySlice<UInt8>) -> String {
        let bytes = trimmed(bytes)
        guard bytes.allSatisfy({ $0 < 0x80 }) else {
            return String(decoding: bytes, as: UTF8.self).lowercased()
        }
        return String(unsafeUninitializedCapacity: bytes.count) { room in
            var count = 0
            for byte in bytes {
                room[count] = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
                count += 1
            }
            return count
        }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
        var start = bytes.startIndex
        var end = bytes.endIndex
        while start < end, isBlank(bytes[start]) { start += 1 }
        while end > start, isBlank(bytes[end - 1]) { end -= 1 }
        return bytes[start..<end]
    }

    private mutating func readFraming() throws(HTTPResponseReader.Fault) {
        if let last = transferCodings.last {
            // Transfer-Encoding overrides Content-Length (RFC 9112, 6.3).
            isChunked = last == "chunked"
            if !isChunked { keepsAlive = false }
        } else {
            for value in all("content-length").flatMap({ $0.split(separator: ",") }) {
                // A repeated Content-Length with the same value is valid (RFC 9112, 6.3).
                guard let length = Self.length(value.trimmed),
                    contentLength == nil || contentLength == length
                else {
                    throw .init(
                        reason:
                            "the Content-Length '\(value.printable(limit: 200))' is no length, or differs from the one before"
                    )
                }
                contentLength = length
            }
        }
        guard let connection = self["connection"] else { return }
        let options = connection.lowercased().split(separator: ",").map(\.trimmed)
        if options.contains("close") {
            keepsAlive = false
        } else if options.contains("keep-alive"), !isCloseDelimited {
            keepsAlive = true
        }
    }

    /// Codings of the body without `chunked`, in lower case and in the order in which the server
    /// applied them: content codings, then transfer codings. Empty if the body is not coded.
    public var bodyCodings: [String] {
        let content = (self["content-encoding"] ?? "").split(separator: ",")
            .map { $0.trimmed.lowercased() }.filter { !ContentDecoder.isIdentity($0) }
        return content + transferCodings.filter { $0 != "chunked" }
    }

    private var isCloseDelimited: Bool { !transferCodings.isEmpty && !isChunked }

    /// Transfer codings in lower case, without `identity`, which means no coding in RFC 2616 (3.6).
    private var transferCodings: [String] {
        guard let value = self["transfer-encoding"] else { return [] }
        return value.split(separator: ",").map { $0.trimmed.lowercased() }
            .filter { !$0.isEmpty && $0 != "identity" }
    }

    private static func length(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(text), length <= HTTPBodyFraming.sizeLimit
        else { return nil }
        return length
    }
}

extension Substring {
    /// The text without blanks, tabs and carriage returns at its ends.
    var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" || $0 == "\r" }
        while let last = text.last, last == " " || last == "\t" || last == "\r" {
            text.removeLast()
        }
        return text
    }
}
