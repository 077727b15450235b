import HTTPWire

/// The address of an edge's origin, which is a URL without a path.
extension HTTPURL {
    /// Reads `http://host[:port]` or `https://host[:port]`; nil if `text` is neither.
    init?(origin text: String) {
        guard !text.contains("#"), var url = try? HTTPURL(text), url.credentials == nil,
            url.target.utf8.allSatisfy({ $0 == 0x2F })
        else { return nil }
        url.target = "/"
        self = url
    }

    /// Returns the fault of an origin's address and how to mend it; nil if there is none.
    static func originFault(of text: String) -> String? {
        guard HTTPURL(origin: text) == nil else { return nil }
        let site = text.split(separator: "/", maxSplits: 2).prefix(2).joined(separator: "//")
        if HTTPURL(origin: site) != nil {
            return "the origin '\(text)' has a path, which playlists would not keep: give \(site), "
                + "and ask the edge for the origin's own paths"
        }
        return "the origin '\(text)' is not http[s]://host[:port], such as http://127.0.0.1:8080"
    }
}
