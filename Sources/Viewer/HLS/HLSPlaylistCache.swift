import HLS
import Synchronization

/// Playlists as they were parsed: thousands of viewers get the same text.
final class HLSPlaylistCache: Sendable {
    static let shared = HLSPlaylistCache()
    /// Texts kept; the oldest go first.
    private static let capacity = 64

    private struct Contents {
        var playlists: [String: HLSPlaylist] = [:]
        var order: [String] = []
        var next = 0
    }
    private let contents = Mutex(Contents())

    /// - Throws: `PlaylistError`.
    func parse(_ text: String) throws(PlaylistError) -> HLSPlaylist {
        if let known = contents.withLock({ $0.playlists[text] }) { return known }
        let playlist = try HLSPlaylist.parse(text)
        contents.withLock { contents in
            if contents.order.count < Self.capacity {
                contents.order.append(text)
            } else {
                contents.playlists[contents.order[contents.next]] = nil
                contents.order[contents.next] = text
                contents.next = (contents.next + 1) % Self.capacity
            }
            contents.playlists[text] = playlist
        }
        return playlist
    }
}
