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
    /// sorted: playlists asked for in another order are the same playlist.
    var key: String
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
    init(_ uri: String) throws(Failure) {
        guard uri.utf8.count <= Self.longest else { throw .tooLong }
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
        guard parts.count == 2 else { return }
        var plain: [Substring] = []
        var directives: [Substring] = []
        for field in parts[1].prefix(while: { $0 != "#" }).split(separator: "&") {
            if field.hasPrefix("_HLS_msn=") { isBlocking = true }
            if field.hasPrefix("_HLS_") { directives.append(field) } else { plain.append(field) }
        }
        let all = plain + directives.sorted()
        if !all.isEmpty { key += "?" + all.joined(separator: "&") }
    }
}
