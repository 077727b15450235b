import ABR
import Foundation
import HLS

/// One rendition as a session plays it.
struct HLSRung {
    /// Absolute.
    var url: String
    /// Average bit rate, kbit/s.
    var bitrate: Double
    /// Whether a playlist told it; a lone media playlist does only by EXT-X-BITRATE.
    var isBitrateKnown = true
    var height: Int
    var playlist: MediaPlaylist?
    /// Media sequence number of the player's segment 0 here; nil = as in the first rendition heard.
    var firstSequence: Int?
    /// When its latest load began, and whether that brought news (ms of the session).
    var loadStarted = -Double.infinity
    var hasChanged = true
    /// The EXT-X-MAP that the player has.
    var initialization: MediaPlaylist.InitializationSection?

    /// The last folder of the path, or the file's name where there is none.
    var name: String {
        let path = url.split(separator: "?")[0].split(separator: "/").dropFirst(2)
        return String(path.dropLast().last ?? path.last ?? "")
    }

    /// How long after the start of the last load the next may start at the earliest
    /// (RFC 8216bis, 6.3.4), ms.
    var reloadInterval: Double {
        guard let playlist else { return 0 }
        return playlist.reloadMilliseconds * (hasChanged ? 1 : 0.5)
    }

    /// The rungs that a player may use, ascending.
    /// - Parameters:
    ///   - base: URL of the playlist.
    ///   - maximumHeight: taller ones are left out, the lowest stays.
    static func all(
        of playlist: MultivariantPlaylist, base: String, maximumHeight: Int?
    ) -> [HLSRung] {
        var rungs = playlist.variants.compactMap { variant -> HLSRung? in
            guard let url = HLSAddress.resolve(variant.uri, base: base) else { return nil }
            let bits = variant.averageBandwidth ?? variant.bandwidth
            guard bits > 0 else { return nil }
            return HLSRung(
                url: url, bitrate: Double(bits) / 1000, height: variant.resolution?.height ?? 0)
        }
        rungs.sort { ($0.bitrate, $0.height, $0.url) < ($1.bitrate, $1.height, $1.url) }
        if let maximumHeight, let lowest = rungs.first {
            rungs.removeAll { $0.height > maximumHeight }
            if rungs.isEmpty { rungs = [lowest] }
        }
        // A title's bit rates ascend; renditions alike are told apart by their order.
        for i in rungs.indices.dropFirst() where rungs[i].bitrate <= rungs[i - 1].bitrate {
            rungs[i].bitrate = rungs[i - 1].bitrate + 0.001
        }
        return rungs
    }
}

extension MediaPlaylist {
    /// From the start of a load that brought news to the next, ms. A target duration is a rounded
    /// number: one of 0 stands for less than half a second, and is no leave to ask without end.
    var reloadMilliseconds: Double { max(500, Double(targetDuration) * 1000) }
}

/// URLs of a viewer.
enum HLSAddress {
    /// The absolute URL of a reference (RFC 3986, 5.2); nil where it is none that is http.
    static func resolve(_ reference: String, base: String) -> String? {
        // Most references are plain names next to the playlist.
        let isPlain = reference.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x41...0x5A).contains($0) || (0x30...0x39).contains($0)
                || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D
        }
        if isPlain, !reference.isEmpty, !reference.hasPrefix(".") {
            let path = base.prefix { $0 != "?" && $0 != "#" }
            if let slash = path.lastIndex(of: "/"), path[..<slash].count > "http://".count {
                return path[...slash] + reference
            }
        }
        guard let url = URL(string: reference, relativeTo: URL(string: base))?.absoluteString,
            url.lowercased().hasPrefix("http://")
        else { return nil }
        return url
    }

    /// The same with query parameters added.
    static func adding(_ query: [(String, String)], to url: String) -> String {
        guard !query.isEmpty else { return url }
        let text = query.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        return url + (url.contains("?") ? "&" : "?") + text
    }

    /// `http://host:port`, as the URL has it.
    static func authority(of url: String) -> Substring {
        guard let scheme = url.firstRange(of: "://") else { return "" }
        return url[
            ..<(url[scheme.upperBound...].firstIndex { $0 == "/" || $0 == "?" } ?? url.endIndex)]
    }

    /// Host, port and what follows; nil where it is no http URL.
    static func split(_ url: String) -> (host: String, port: Int, path: String)? {
        guard url.lowercased().hasPrefix("http://") else { return nil }
        let rest = url.dropFirst("http://".count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        var path = String(rest[end...])
        if !path.hasPrefix("/") { path = "/" + path }
        var host = authority
        var port = 80
        let bracket = authority.lastIndex(of: "]") ?? authority.startIndex
        if let colon = authority.lastIndex(of: ":"), colon >= bracket {
            guard let number = Int(authority[authority.index(after: colon)...]),
                (1...65535).contains(number)
            else { return nil }
            port = number
            host = authority[..<colon]
        }
        let name = host.drop { $0 == "[" }.prefix { $0 != "]" }
        guard !name.isEmpty else { return nil }
        return (String(name), port, path)
    }
}
