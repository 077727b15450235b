/// An absolute URL of `http` or `https` (RFC 3986, RFC 9110, 4.2), in the form that goes on the
/// wire.
///
/// Characters of path and query that a URI must not contain (blanks, letters beyond ASCII, quotes)
/// are percent-encoded: browsers and players do that, and servers decode it.
public struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
    /// Reason why a text is not such a URL.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public var description: String
    }

    /// Whether the scheme is `https`.
    public var isSecure: Bool
    /// Host in lower case; an IPv6 address is without its brackets.
    public var host: String
    /// Port, 1…65535; the scheme's default if the URL gives none.
    public var port: Int
    /// Path and query without a fragment; never empty.
    public var target: String
    /// Percent-decoded `user:password`; nil if the URL has none.
    public var credentials: String?

    /// Longest URL that is accepted, in bytes.
    public static let lengthLimit = 8192

    /// - Throws: `Fault` that says what is missing.
    public init(_ text: some StringProtocol) throws(Fault) {
        let trimmed = Self.trimmed(text)
        guard trimmed.utf8.count <= Self.lengthLimit else {
            throw Fault(description: "a URL of over \(Self.lengthLimit) bytes is not taken")
        }
        let shown = trimmed.printable(limit: 200)
        if Self.hasPrefix(trimmed, "http://") {
            isSecure = false
        } else if Self.hasPrefix(trimmed, "https://") {
            isSecure = true
        } else {
            throw Fault(description: "'\(shown)' is no URL of http:// or https://")
        }
        let rest = trimmed.utf8.dropFirst(isSecure ? 8 : 7)
        let end =
            rest.firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 || $0 == 0x5C }
            ?? rest.endIndex
        var authority = Substring(rest[..<end])
        if let at = authority.lastIndex(of: "@") {
            credentials = URIReference.percentDecoded(authority[..<at])
            authority = authority[authority.index(after: at)...]
        }
        let (name, number) = Self.split(authority)
        guard !name.isEmpty, name.utf8.allSatisfy(Self.mayStandInHost) else {
            throw Fault(description: "'\(shown)' names no host")
        }
        guard let port = number.isEmpty ? (isSecure ? 443 : 80) : Int(number),
            (1...65535).contains(port)
        else { throw Fault(description: "'\(shown)': '\(number)' is no port from 1 to 65535") }
        host = name.lowercased()
        self.port = port
        let tail = Substring(rest[end...].prefix { $0 != 0x23 })
        let encoded = URIReference.percentEncoded(tail)
        target = encoded.hasPrefix("/") ? encoded : "/" + encoded
        // Encoding makes three bytes of one, so the encoded URL has the same limit.
        guard description.utf8.count <= Self.lengthLimit else {
            throw Fault(
                description:
                    "a URL of over \(Self.lengthLimit) bytes, percent-encoded, is not taken")
        }
    }

    private static func hasPrefix(_ text: Substring, _ prefix: String) -> Bool {
        text.utf8.count >= prefix.utf8.count
            && zip(text.utf8, prefix.utf8).allSatisfy { $0 == $1 || $0 | 0x20 == $1 }
    }

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        var text = Substring(text)
        while let first = text.utf8.first, first <= 0x20 { text = text.dropFirst() }
        while let last = text.utf8.last, last <= 0x20 { text = text.dropLast() }
        return text
    }

    /// Whether a host may contain the byte: letters, digits and the signs of names and addresses
    /// (RFC 3986, 3.2.2; '_' occurs in practice).
    private static func mayStandInHost(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x3A, 0x25: true
        default: false
        }
    }

    private static func split(_ authority: Substring) -> (name: Substring, port: Substring) {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            let rest = authority[authority.index(after: end)...]
            // Only a colon and a port may follow the bracket.
            let port = rest.isEmpty || rest.hasPrefix(":") ? rest.dropFirst() : "?"
            return (authority[..<end].dropFirst(), port)
        }
        guard let colon = authority.lastIndex(of: ":") else { return (authority, "") }
        // Several colons mean an IPv6 address that lacks its brackets.
        guard authority.firstIndex(of: ":") == colon else { return ("", "") }
        return (authority[..<colon], authority[authority.index(after: colon)...])
    }

    public var scheme: String { isSecure ? "https" : "http" }
    private var isDefaultPort: Bool { port == (isSecure ? 443 : 80) }

    /// Host and port as the Host field has them, without the scheme's default port (RFC 9110, 7.2).
    public var authority: String {
        let name = host.utf8.contains(0x3A) ? "[\(host)]" : host
        return isDefaultPort ? name : "\(name):\(port)"
    }

    /// Scheme, host and port.
    public var origin: String { "\(scheme)://\(authority)" }

    public var description: String { origin + target }

    /// The path without its query.
    public var path: Substring { target.prefix { $0 != "?" } }

    /// Parameters of the query, percent-decoded; of a repeated parameter the first value counts.
    public var parameters: [String: String] {
        guard let mark = target.firstIndex(of: "?") else { return [:] }
        var result: [String: String] = [:]
        for pair in target[target.index(after: mark)...].split(separator: "&").prefix(100) {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2 else { continue }
            let name = URIReference.percentDecoded(halves[0])
            if result[name] == nil { result[name] = URIReference.percentDecoded(halves[1]) }
        }
        return result
    }

    /// Whether both URLs have the same scheme, host and port.
    public func isAtServer(of other: HTTPURL) -> Bool {
        host == other.host && port == other.port && isSecure == other.isSecure
    }

    /// Resolves a reference in a resource at this URL (RFC 3986, 5.2).
    /// - Throws: `Fault` if the reference has another scheme or cannot be read.
    public func resolving(_ reference: some StringProtocol) throws(Fault) -> HTTPURL {
        let reference = Self.trimmed(reference)
        // Most references are plain names next to the playlist. Those that may be too long, with at
        // most 16 bytes for the scheme, the port and brackets, are left to the initializer.
        if !reference.isEmpty, reference.utf8.first != 0x2E,
            host.utf8.count + target.utf8.count + reference.utf8.count <= Self.lengthLimit - 16,
            reference.utf8.allSatisfy(URIReference.isPlain)
        {
            let path = path
            if let slash = path.lastIndex(of: "/") {
                var url = self
                url.target = String(path[...slash]) + reference
                return url
            }
        }
        var url = try HTTPURL(URIReference.resolve(String(reference), against: description))
        // Credentials of a URL belong to its own server (RFC 9110, 4.2.4).
        if url.credentials == nil, url.origin == origin { url.credentials = credentials }
        return url
    }

    /// Returns the URL without the query parameters that have names beginning with `prefix`.
    public func removing(parametersNamed prefix: String) -> HTTPURL {
        guard let mark = target.firstIndex(of: "?"), target.contains(prefix) else { return self }
        let kept = target[target.index(after: mark)...].split(separator: "&").filter {
            !$0.hasPrefix(prefix)
        }
        var url = self
        url.target = target[..<mark] + (kept.isEmpty ? "" : "?" + kept.joined(separator: "&"))
        return url
    }

    /// Returns the URL with query parameters added, as blocking reloads need them.
    public func adding(_ parameters: [(String, String)]) -> HTTPURL {
        guard !parameters.isEmpty else { return self }
        var url = self
        let query = parameters.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        url.target += (target.contains("?") ? "&" : "?") + query
        return url
    }
}
