/// Host and port of an origin.
struct OriginAddress: Hashable {
    /// Host; an IPv6 address is without brackets.
    var host: String
    var port: Int
    /// Whether the origin uses TLS.
    var isSecure: Bool

    /// Text for messages: `http://host[:port]`.
    var text: String { (isSecure ? "https://" : "http://") + authority }

    /// Value of the Host header of requests.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// Reads `http://host[:port]` or `https://host[:port]`; nil for any other text.
    init?(_ text: String) {
        isSecure = text.hasPrefix("https://")
        guard isSecure || text.hasPrefix("http://") else { return nil }
        let rest = text.dropFirst(isSecure ? 8 : 7)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        guard rest[slash...].allSatisfy({ $0 == "/" }) else { return nil }
        port = isSecure ? 443 : 80
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = Int(authority[authority.index(after: colon)...]),
                (1...65_535).contains(number)
            else { return nil }
            port = number
            authority = authority[..<colon]
        }
        if authority.hasPrefix("["), authority.hasSuffix("]") {
            authority = authority.dropFirst().dropLast()
        } else if authority.contains(":") {
            return nil
        }
        guard !authority.isEmpty, !authority.contains(where: { " @?#[]".contains($0) }) else {
            return nil
        }
        host = String(authority)
    }

    static func fault(of text: String) -> String? {
        guard OriginAddress(text) == nil else { return nil }
        let site = text.split(separator: "/", maxSplits: 2).prefix(2).joined(separator: "//")
        if OriginAddress(site) != nil {
            return "the origin '\(text)' has a path, which playlists would not keep: give \(site), "
                + "and ask the edge for the origin's own paths"
        }
        return "the origin '\(text)' is not http[s]://host[:port], such as http://127.0.0.1:8080"
    }
}
