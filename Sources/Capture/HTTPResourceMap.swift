import HLS
import HTTPWire

/// Attribution of paths to renditions, learned from the captured playlists.
final class HTTPResourceMap {
    struct Place: Hashable {
        var rendition: String
        var kind: HTTPResourceKind
    }

    /// Largest number of paths kept; the oldest go first.
    static let limit = 100_000
    /// Longest part of a path that is kept and compared, in bytes.
    static let pathLimit = 2048

    private struct Known {
        var place: Place
        /// Duration in seconds; 0 for a resource that is not media.
        var duration: Double
    }

    private var places: [String: Known] = [:]
    /// Paths in the order in which they were learned, from `oldest` on.
    private var order: [String] = []
    private var oldest = 0
    /// Hash of the latest body of each playlist.
    private var bodies: [String: Int] = [:]
    /// Variables that each server's multivariant playlists define for their media playlists
    /// (EXT-X-DEFINE); of several definitions the latest counts.
    private var definitions: [String: [String: String]] = [:]

    private func define(_ variables: [String: String], _ server: String) {
        guard !variables.isEmpty, definitions[server] != nil || definitions.count < 256 else {
            return
        }
        // If a server's playlists keep defining new names, its definitions are cleared.
        let known = definitions[server] ?? [:]
        definitions[server] = (known.count < 1_024 ? known : [:]).merging(variables) { $1 }
    }

    /// Learns the paths of a playlist's body.
    ///
    /// - Parameters:
    ///   - target: Target of the playlist's request, query included.
    ///   - server: Name that distinguishes equal paths of two servers.
    func learn(_ body: [UInt8], target: String, server: String) {
        let path = Self.path(target)
        // Values that the text takes from its URL make it another playlist; most playlists take
        // none.
        let takesQuery =
            target.utf8.contains(UInt8(ascii: "?"))
            && body.prefix(4_096).firstRange(of: Array("QUERYPARAM".utf8)) != nil
        let hash = takesQuery ? body.hashValue ^ target.hashValue : body.hashValue
        guard bodies[server + path] != hash else { return }
        if bodies.count >= 4_096 { bodies = [:] }
        bodies[server + path] = hash
        let query = takesQuery ? (try? HTTPURL("http://host\(target)"))?.parameters : nil
        let variables = PlaylistVariables(
            imported: definitions[server] ?? [:], query: query ?? [:])
        // A line that breaks a rule hides no other line, because players play such playlists.
        guard
            let playlist = try? HLSPlaylist.read(
                String(decoding: body, as: UTF8.self), variables: variables
            ).playlist
        else { return }
        keep(path, Place(rendition: path, kind: .playlist), server)
        guard case .media(let media) = playlist else {
            if case .multivariant(let multivariant) = playlist {
                define(multivariant.variables, server)
            }
            return
        }
        func add(_ uri: String, _ kind: HTTPResourceKind, _ duration: Double = 0) {
            // Clients send only characters that a URI may contain, however the playlist writes the
            // URI.
            let resolved = URIReference.percentEncoded(
                URIReference.resolve(uri, against: "http://\(server)\(path)"))
            guard let target = Self.target(of: resolved) else { return }
            keep(target, Place(rendition: path, kind: kind), server, duration)
        }
        for segment in media.segments {
            if let map = segment.map { add(map.uri, .initialization) }
            add(segment.uri, .segment, segment.duration)
            for part in segment.parts where part.uri != segment.uri {
                add(part.uri, .part, part.duration)
            }
        }
        if let partial = media.partialSegment {
            if let map = partial.map { add(map.uri, .initialization) }
            for part in partial.parts { add(part.uri, .part, part.duration) }
        }
        for hint in media.preloadHints {
            add(hint.uri, hint.kind == .part ? .part : .initialization)
        }
    }

    private func keep(
        _ target: String, _ place: Place, _ server: String, _ duration: Double = 0
    ) {
        let key = server + String(decoding: target.utf8.prefix(Self.pathLimit), as: UTF8.self)
        if let known = places[key] {
            // A range of a segment's own file may be hinted as a part, and the segment stays a
            // segment. A hint has no duration yet.
            if known.place.kind == .part, place.kind == .segment || known.duration == 0 {
                places[key] = Known(place: place, duration: duration)
            }
            return
        }
        places[key] = Known(place: place, duration: duration)
        order.append(key)
        if order.count - oldest > Self.limit {
            places.removeValue(forKey: order[oldest])
            oldest += 1
            if oldest > Self.limit {
                order.removeFirst(oldest)
                oldest = 0
            }
        }
    }

    /// Place of a request's target: as a playlist writes it, else without its query.
    func place(of target: String, server: String) -> Place? {
        known(target, server: server)?.place
    }

    /// Duration of a target's media in seconds; 0 if it is unknown.
    func duration(of target: String, server: String) -> Double {
        known(target, server: server)?.duration ?? 0
    }

    private func known(_ target: String, server: String) -> Known? {
        let target = String(decoding: target.utf8.prefix(Self.pathLimit), as: UTF8.self)
        return places[server + target] ?? places[server + Self.path(target)]
    }

    static func path(_ target: String) -> String {
        String(target.prefix { $0 != "?" && $0 != "#" })
    }

    /// Path and query of an absolute URL.
    private static func target(of url: String) -> String? {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let rest = url[scheme.upperBound...]
        return rest.firstIndex(of: "/").map { String(rest[$0...].prefix { $0 != "#" }) }
    }
}
