import HLS
import NIOCore

/// Latest known position of each playlist, for all delivery directives together. Once a newer
/// version has arrived, an older one is no longer served.
///
/// Blocking reloads, delta updates and plain loads of one playlist are separate objects. A player
/// that has received a newer version by one of them must not receive an older one that was cached
/// for another. The type does no I/O and reads no clock; times are nanoseconds.
struct EdgeVersions {
    /// The end of a media playlist.
    struct Position: Hashable {
        /// Media sequence number after the last complete segment.
        var sequence: Int
        /// Number of parts after the last complete segment.
        var parts: Int

        /// Reads the position; nil if the body is not a media playlist.
        init?(_ body: ByteBuffer) {
            guard body.readableBytes <= EdgeVersions.longestPlaylist,
                case .media(let playlist)? = try? HLSPlaylist.read(
                    String(decoding: body.readableBytesView, as: UTF8.self)
                ).playlist
            else { return nil }
            sequence = playlist.nextSequence
            parts = playlist.partialSegment?.parts.count ?? 0
        }

        func isOlder(than other: Position) -> Bool {
            let ahead = sequence &- other.sequence
            return ahead < 0 || (ahead == 0 && parts < other.parts)
        }
    }

    private struct Known {
        var position: Position
        /// Time at which the position arrived.
        var at: Int64
    }

    /// Longest playlist that is examined, in bytes.
    static let longestPlaylist = 4 << 20
    /// Largest number of playlists remembered; beyond it all are forgotten, and cached older
    /// versions may be served again.
    static let limit = 10_000

    private var known: [String: Known] = [:]

    /// Whether a cached object is older than the latest known position.
    func isOutdated(_ position: Position, of group: String) -> Bool {
        known[group].map { position.isOlder(than: $0.position) } ?? false
    }

    /// Records a version of a playlist that the origin sent.
    /// - Parameter asked: Time of the request to the origin.
    /// - Returns: Whether the response may be cached. It may not if a newer version arrived after
    ///   this one was requested.
    mutating func received(
        _ position: Position, of group: String, asked: Int64, at now: Int64
    ) -> Bool {
        if let newest = known[group], position.isOlder(than: newest.position), asked < newest.at {
            return false
        }
        // The origin's response to a later request counts even if it is older, because the stream
        // may have restarted.
        if known.count >= Self.limit, known[group] == nil { known.removeAll() }
        known[group] = Known(position: position, at: now)
        return true
    }
}
