import HLS
import Synchronization

/// A cache of parsed playlists, because thousands of viewers receive the same text.
final class HLSPlaylistCache: Sendable {
    static let shared = HLSPlaylistCache()
    /// Largest number of texts; the oldest are dropped first.
    private static let capacity = 64

    typealias Parsed = (playlist: HLSPlaylist, faults: [PlaylistError])

    private struct Contents {
        var playlists: [String: Parsed] = [:]
        var order: [String] = []
        var next = 0
    }
    private let contents = Mutex(Contents())

    /// Parses a playlist as a player does: lines that break a rule are passed over and returned.
    /// - Throws: `PlaylistError` if the text is not a playlist.
    func read(_ text: String, _ variables: PlaylistVariables) throws(PlaylistError) -> Parsed {
        // With variables, one text may have several meanings.
        guard variables.isEmpty || !text.contains("#EXT-X-DEFINE") else {
            return try HLSPlaylist.read(text, variables: variables)
        }
        if let known = contents.withLock({ $0.playlists[text] }) { return known }
        let playlist = try HLSPlaylist.read(text)
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
