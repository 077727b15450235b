/// What kind of thing is asked for, as names tell.
public enum EdgeKind: String, Sendable, Codable, Hashable, CaseIterable {
    case playlist
    /// An initialization section.
    case initialization = "init"
    case segment
    case part
    case other

    /// By the last component of a path. Parts are `<segment>.<number>.<extension>` (this origin's)
    /// or have `part` in their name.
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

/// What a client asks the edge for: the origin's path, and the key under which it is kept.
struct EdgeTarget: Hashable, Sendable {
    /// Path and query as the origin gets them; the cache's key. Delivery directives come last and
    /// sorted: playlists asked for in another order are the same playlist. Directives that rfc8216bis,
    /// 6.2.5 does not know are left out, for nobody answers to them.
    var key: String
    /// The same without any directive: one playlist, however it is asked for.
    var group: String
    var kind: EdgeKind
    /// `_HLS_msn` is there: the origin may hold the answer back.
    var isBlocking: Bool

    enum Failure: Error, Hashable {
        case badRequest(String)
        case tooLong
    }

    /// Bytes of path and query.
    static let longest = 4096

    /// - Throws: `Failure` where `uri` is no path.
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
        // A fragment is never sent.
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
            // Of a directive that comes twice the first counts.
            guard Self.directives.contains(name), directives[name] == nil else { continue }
            let value = halves.count == 2 ? Self.plainNumber(halves[1]) : ""
            directives[name] = "\(name)=\(value)"
            if name == "_HLS_msn" { isBlocking = true }
        }
        if !plain.isEmpty { group += "?" + plain.joined(separator: "&") }
        let all = plain + directives.values.sorted()
        if !all.isEmpty { key += "?" + all.joined(separator: "&") }
    }

    /// A client may name the whole URL, as it would to a proxy (RFC 9112, 3.2.2).
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

    /// Numbers in one way of writing: 007 asks for what 7 asks for.
    private static func plainNumber(_ text: Substring) -> Substring {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return text }
        let digits = text.drop { $0 == "0" }
        return digits.isEmpty ? "0" : digits
    }
}
