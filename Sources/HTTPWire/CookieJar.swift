/// The cookies of one viewer (RFC 6265), kept as browsers and players keep them, with limits.
///
/// CDNs sign sessions, and tie them to servers, by cookies that come with the playlist; every later
/// request must send them back.
public struct CookieJar: Sendable {
    struct Cookie: Hashable {
        var name: String
        var value: String
        /// Domain in lower case, without a leading dot.
        var domain: String
        var isHostOnly: Bool
        var path: String
        var isSecure: Bool
        /// Time in seconds since 1970; nil if the cookie lasts as long as the viewer.
        var expires: Double?
    }

    /// Largest number of cookies; beyond it the oldest is dropped. RFC 6265, 6.1, asks for at least
    /// 50 in a domain and 4096 bytes each.
    static let mostCookies = 200
    /// Longest Set-Cookie value in bytes; a longer one is ignored.
    static let mostBytes = 4096

    private(set) var cookies: [Cookie] = []

    public init() {}

    public var isEmpty: Bool { cookies.isEmpty }

    /// Reads the Set-Cookie fields of a response.
    /// - Parameters:
    ///   - url: URL of the request.
    ///   - now: Time in seconds since 1970.
    public mutating func take(_ head: HTTPResponseHead, from url: HTTPURL, now: Double) {
        for field in head.fields where field.name == "set-cookie" {
            guard let cookie = Self.parse(field.value, url, now) else { continue }
            cookies.removeAll {
                $0.name == cookie.name && $0.domain == cookie.domain && $0.path == cookie.path
            }
            if cookie.expires.map({ $0 > now }) ?? true { cookies.append(cookie) }
            if cookies.count > Self.mostCookies { cookies.removeFirst() }
        }
    }

    /// Returns the Cookie field of a request; nil if there is none.
    public func header(for url: HTTPURL, now: Double) -> String? {
        guard !cookies.isEmpty else { return nil }
        let path = String(url.path)
        let matching = cookies.filter { cookie in
            (cookie.isHostOnly
                ? cookie.domain == url.host : Self.isWithin(url.host, cookie.domain))
                && Self.matches(path, cookie.path) && (!cookie.isSecure || url.isSecure)
                && (cookie.expires.map { $0 > now } ?? true)
        }
        guard !matching.isEmpty else { return nil }
        // Longer paths come first (RFC 6265, 5.4); cookies with equally long paths keep their order
        // of arrival.
        let ordered = matching.enumerated().sorted {
            ($1.element.path.utf8.count, $0.offset) < ($0.element.path.utf8.count, $1.offset)
        }
        return ordered.map { "\($0.element.name)=\($0.element.value)" }.joined(separator: "; ")
    }

    private static func parse(_ text: String, _ url: HTTPURL, _ now: Double) -> Cookie? {
        guard text.utf8.count <= mostBytes,
            !text.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F })
        else { return nil }
        var parts = text.split(separator: ";", omittingEmptySubsequences: false).makeIterator()
        guard let pair = parts.next(), let equals = pair.firstIndex(of: "=") else { return nil }
        let name = String(pair[..<equals].trimmed)
        guard !name.isEmpty else { return nil }
        var cookie = Cookie(
            name: name, value: String(pair[pair.index(after: equals)...].trimmed),
            domain: url.host, isHostOnly: true, path: defaultPath(url), isSecure: false)
        var maxAge: Double?
        while let attribute = parts.next() {
            let halves = attribute.split(separator: "=", maxSplits: 1)
            let value = halves.count > 1 ? String(halves[1].trimmed) : ""
            switch halves.first?.trimmed.lowercased() ?? "" {
            case "domain":
                let domain = String(value.lowercased().drop { $0 == "." })
                if domain.isEmpty { break }
                // A server may set cookies for its own domain, and not for a top-level domain.
                guard isWithin(url.host, domain), domain.contains(".") || domain == url.host
                else { return nil }
                cookie.domain = domain
                cookie.isHostOnly = false
            case "path": if value.hasPrefix("/") { cookie.path = value }
            case "secure": cookie.isSecure = true
            case "max-age":
                if let seconds = Double(value), seconds.isFinite { maxAge = now + seconds }
            case "expires": cookie.expires = HTTPDate.seconds(value).map(Double.init)
            default: break
            }
        }
        // Max-Age overrides Expires (RFC 6265, 5.3).
        cookie.expires = maxAge ?? cookie.expires
        return cookie
    }

    private static func isWithin(_ host: String, _ domain: String) -> Bool {
        host == domain || (host.hasSuffix("." + domain) && host.contains { $0.isLetter })
    }

    private static func defaultPath(_ url: HTTPURL) -> String {
        let path = url.path
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    private static func matches(_ path: String, _ prefix: String) -> Bool {
        path == prefix
            || (path.hasPrefix(prefix)
                && (prefix.hasSuffix("/") || path.dropFirst(prefix.count).first == "/"))
    }
}
