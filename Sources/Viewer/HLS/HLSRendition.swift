import ABR
import HLS
import HTTPWire

/// One rendition as a session plays it.
struct HLSRendition {
    /// Where the latest answer came from, after redirects: what is loaded next, and what its URIs
    /// are relative to.
    var url: HTTPURL {
        didSet { source = source ?? oldValue }
    }
    /// Where it was asked for before redirects; nil where there were none.
    private(set) var source: HTTPURL?
    /// Average bit rate, kbit/s.
    var bitrate: Double
    /// Whether a playlist told it; a lone media playlist does only by EXT-X-BITRATE.
    var isBitrateKnown = true
    var height: Int
    var playlist: MediaPlaylist?
    /// Tells older copies of its playlist.
    var history = PlaylistHistory()
    /// The EXT-X-MAP that the player has.
    var initialization: MediaPlaylist.InitializationSection?

    /// What the playlist's path calls the rendition: the file where it has a name of its own
    /// (`live/cam_720p.m3u8` of SRS and nginx-rtmp), else its folder (`cam_720p/index.m3u8`).
    var name: String {
        let path = url.path.split(separator: "/")
        guard let file = path.last else { return "" }
        let stem = file.prefix { $0 != "." }
        guard Self.commonNames.contains(stem.lowercased()), let folder = path.dropLast().last
        else { return String(stem.isEmpty ? file : stem) }
        return String(folder)
    }

    /// Files that every rendition has, each in a folder of its own.
    private static let commonNames: Set<String> = [
        "index", "playlist", "chunklist", "media", "prog_index", "mono", "stream", "live", "main",
        "video", "master", "manifest", "out", "output", "rendition",
    ]

    /// The renditions that a player may use, ascending.
    ///
    /// A variant whose BANDWIDTH is missing, 0 or (of SRS) 1 can be played; its rate is just not known.
    /// - Parameters:
    ///   - base: URL of the playlist.
    ///   - maximumHeight: taller ones are left out, the lowest stays.
    static func all(
        of playlist: MultivariantPlaylist, base: HTTPURL, maximumHeight: Int?
    ) -> [HLSRendition] {
        var renditions = playlist.variants.compactMap { variant -> HLSRendition? in
            guard let url = try? base.resolving(variant.uri) else { return nil }
            let bits = variant.averageBandwidth ?? variant.bandwidth
            return HLSRendition(
                url: url, bitrate: max(1, Double(bits) / 1000), isBitrateKnown: bits >= 1000,
                height: variant.resolution?.height ?? 0)
        }
        renditions.sort {
            ($0.bitrate, $0.height, $0.url.description)
                < ($1.bitrate, $1.height, $1.url.description)
        }
        if let maximumHeight, let lowest = renditions.first {
            renditions.removeAll { $0.height > maximumHeight }
            if renditions.isEmpty { renditions = [lowest] }
        }
        // A title's bit rates ascend; renditions alike are told apart by their order.
        for i in renditions.indices.dropFirst()
        where renditions[i].bitrate <= renditions[i - 1].bitrate {
            renditions[i].bitrate = renditions[i - 1].bitrate + 0.001
        }
        return renditions
    }
}

extension MediaPlaylist {
    /// The target duration, which is the time from one reload to the next, ms.
    var targetMilliseconds: Double { Double(targetDuration) * 1000 }
}
