import ABR
import HLS
import HTTPWire

/// One rendition of a session.
struct HLSRendition {
    /// URL of the latest playlist after redirects. The next load uses this URL, and the playlist's
    /// URIs are relative to it.
    var url: HTTPURL {
        didSet { source = source ?? oldValue }
    }
    /// URL of the playlist before redirects; nil if there were no redirects.
    private(set) var source: HTTPURL?
    /// Average bit rate, kbit/s.
    var bitrate: Double
    /// Whether a playlist states the bit rate; a single media playlist states it only by
    /// EXT-X-BITRATE.
    var isBitrateKnown = true
    var height: Int
    var playlist: MediaPlaylist?
    /// History by which older copies of the playlist are recognized.
    var history = PlaylistHistory()
    /// The EXT-X-MAP that the player has fetched.
    var initialization: MediaPlaylist.InitializationSection?

    /// Name of the rendition in the playlist's path: the file, if it has a name of its own
    /// (`live/cam_720p.m3u8` of SRS and nginx-rtmp), otherwise the folder (`cam_720p/index.m3u8`).
    var name: String {
        let path = url.path.split(separator: "/")
        guard let file = path.last else { return "" }
        let stem = file.prefix { $0 != "." }
        guard Self.commonNames.contains(stem.lowercased()), let folder = path.dropLast().last
        else { return String(stem.isEmpty ? file : stem) }
        return String(folder)
    }

    /// File names that every rendition has, each in a folder of its own.
    private static let commonNames: Set<String> = [
        "index", "playlist", "chunklist", "media", "prog_index", "mono", "stream", "live", "main",
        "video", "master", "manifest", "out", "output", "rendition",
    ]

    /// Returns the renditions that a player may use, in ascending order.
    ///
    /// A variant whose BANDWIDTH is missing, 0 or (from SRS) 1 can be played, but its rate is
    /// unknown.
    /// - Parameters:
    ///   - base: URL of the playlist.
    ///   - maximumHeight: taller renditions are left out, except the lowest rendition.
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
        // The bit rates of a title ascend; renditions with the same rate are distinguished by their
        // order.
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
