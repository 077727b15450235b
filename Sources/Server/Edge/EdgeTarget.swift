/// Kind of a resource, determined by its name.
public enum EdgeKind: String, Sendable, Codable, Hashable, CaseIterable {
    case playlist
    /// An initialization section.
    case initialization = "init"
    case segment
    case part
    case other

    /// Determines the kind by the last component of a path. Parts are
    /// `<segment>.<number>.<extension>` (this origin's) or have `part` in their name.
    package init(file: Substring) {
        let name = file.lowercased()
        let pieces = name.split(separator: ".")
        guard pieces.count >= 2, let ending = pieces.last else {
            self = .other
            return
        }
        switch ending {
        case "m3u8", "m3u": self = .playlist
        case "ts", "m4s", "mp4", "m4v", "m4a", "cmfv", "cmfa", "cmft", "aac", "vtt":
            if name.contains("init") {
                self = .initialization
            } else if name.contains("part")
                || pieces.count >= 3 && pieces[pieces.count - 2].allSatisfy(\.isNumber)
            {
                self = .part
            } else {
                self = .segment
            }
        default: self = .other
        }
    }
}

/// The resource that a client requests from the edge: its path at the origin and its key in the
/// cache.
struct EdgeTarget: Hashable, Sendable {
    /// Path and query for the origin, and also the key in the cache. Delivery directives come last
    /// and sorted, so that requests with another order have the same key. Directives that
    /// rfc8216bis, 6.2.5, does not define are left out, because no server responds to them.
    var key: String
    /// Key without delivery directives; it is the same for all requests for one playlist.
    var group: String
    var kind: EdgeKind
    /// Whether `_HLS_msn` is present, so that the origin may hold back the response.
    var isBlocking: Bool

    enum Failure: Error, Hashable {
        case badRequest(String)
        case tooLong
    }

    /// Longest path and query, in bytes.
    static let longest = 4096

    /// - Throws: `Failure` if `requested` is too long, does not begin with '/' or contains blanks
    ///   or control characters.
    init(_ requested: String) throws(Failure) {
        guard requested.utf8.count <= Self.longest else { throw .tooLong }
        let uri = Self.originForm(requested)
        guard uri.utf8.first == UInt8(ascii: "/") else {
            throw .badRequest(
                "Ask for a path that begins with '/', such as /hls/live/a/index.m3u8.\n")
        }
        guard uri.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw .badRequest("The path holds characters that must be written as %XX.\n")
        }
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        // A client must not send a fragment; if it does, the fragment is left out.
        let path = parts[0].prefix { $0 != "#" }
        kind = EdgeKind(file: path[(path.lastIndex(of: "/") ?? path.startIndex)...])
        isBlocking = false
        key = String(path)
        group = key
        guard parts.count == 2 else { return }
        var plain: [String] = []
        var directives: [String: String] = [:]
        for field in parts[1].prefix(while: { $0 != "#" }).split(separator: "&") {
            guard field.hasPrefix("_HLS_") else {
                plain.append(String(field))
                continue
            }
            let halves = field.split(separator: "=", maxSplits: 1)
            let name = String(halves[0])
            // If a directive is repeated, the first one counts.
            guard Self.directives.contains(name), directives[name] == nil else { continue }
            let value = halves.count == 2 ? Self.plainNumber(halves[1]) : ""
            directives[name] = "\(name)=\(value)"
            if name == "_HLS_msn" { isBlocking = true }
        }
        if !plain.isEmpty { group += "?" + plain.joined(separator: "&") }
        let all = plain + directives.values.sorted()
        if !all.isEmpty { key += "?" + all.joined(separator: "&") }
    }

    /// Removes scheme and authority from an absolute URL, which a client may send as it would to a
    /// proxy (RFC 9112, 3.2.2).
    private static func originForm(_ uri: String) -> String {
        let lower = uri.prefix(8).lowercased()
        guard lower.hasPrefix("http://") || lower.hasPrefix("https://"),
            let scheme = uri.firstRange(of: "://")
        else { return uri }
        let rest = uri[scheme.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        guard end != rest.startIndex else { return uri }
        return rest[end...].hasPrefix("/") ? String(rest[end...]) : "/" + rest[end...]
    }

    /// Delivery directives (rfc8216bis, 6.2.5).
    private static let directives: Set<String> = ["_HLS_msn", "_HLS_part", "_HLS_skip"]

    /// Removes leading zeros from a number, so that 007 and 7 have the same key.
    private static func plainNumber(_ text: Substring) -> Substring {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return text }
        let digits = text.drop { $0 == "0" }
        return digits.isEmpty ? "0" : digits
    }
}
