/// `rtmp://host[:port]/app/streamKey[?query]`, or `rtmps://…` over TLS. The application is the
/// first path component; the rest, slashes included, is the stream key. The query stays with the
/// stream key.
public struct RTMPURL: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Whether the connection uses TLS (`rtmps`).
    public var isSecure = false
    public var host: String
    /// Port; if the URL names none, 1935, or 443 over TLS.
    public var port: Int
    public var application: String
    public var streamKey: String
    /// Query without the question mark; empty if there is none.
    public var query: String

    public init(
        host: String, port: Int = 1935, application: String, streamKey: String, query: String = ""
    ) {
        self.host = host
        self.port = port
        self.application = application
        self.streamKey = streamKey
        self.query = query
    }

    public init(_ text: String) throws(RTMPError) {
        func bad(_ why: String) -> RTMPError {
            RTMPError(.url, "'\(text)' \(why); expected rtmp://host[:port]/app/stream")
        }
        guard let schemeEnd = text.firstRange(of: "://") else { throw bad("has no scheme") }
        let scheme = text[..<schemeEnd.lowerBound].lowercased()
        guard scheme == "rtmp" || scheme == "rtmps" else {
            throw bad("is neither rtmp nor rtmps")
        }
        isSecure = scheme == "rtmps"
        let rest = text[schemeEnd.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        if let at = authority.lastIndex(of: "@") {
            authority = authority[authority.index(after: at)...]
        }
        var portText: Substring?
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else { throw bad("has no ']'") }
            host = String(authority[authority.index(after: authority.startIndex)..<close])
            let after = authority[authority.index(after: close)...]
            if after.first == ":" { portText = after.dropFirst() }
        } else if let colon = authority.lastIndex(of: ":") {
            host = String(authority[..<colon])
            portText = authority[authority.index(after: colon)...]
        } else {
            host = String(authority)
        }
        guard !host.isEmpty else { throw bad("names no host") }
        port = isSecure ? 443 : 1935
        if let portText {
            guard let number = Int(portText), (1...65535).contains(number) else {
                throw bad("has a port that is not in 1…65535")
            }
            port = number
        }
        let path = rest[slash...].drop { $0 == "/" }
        let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let app = parts.first, !app.isEmpty else { throw bad("names no application") }
        application = String(app)
        (streamKey, query) = Self.splitQuery(parts.count > 1 ? String(parts[1]) : "")
    }

    /// Splits the name of a publish or play command into stream key and query.
    public static func splitQuery(_ name: String) -> (key: String, query: String) {
        guard let mark = name.firstIndex(of: "?") else { return (name, "") }
        return (String(name[..<mark]), String(name[name.index(after: mark)...]))
    }

    private var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 1935) ? name : "\(name):\(port)"
    }

    /// Value that `connect` sends: the URL without the stream.
    public var tcURL: String { "\(isSecure ? "rtmps" : "rtmp")://\(authority)/\(application)" }
    /// Value that `publish` and `play` send: the stream key with its query.
    public var streamName: String { query.isEmpty ? streamKey : "\(streamKey)?\(query)" }
    public var description: String { "\(tcURL)/\(streamName)" }
}
