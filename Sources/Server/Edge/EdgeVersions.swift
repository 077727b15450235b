import HLS
import NIOCore

/// How far each playlist was known to have got, whatever directives it was asked with: what is
/// older is not served once something newer has been.
///
/// Reloads that block, delta updates and plain loads of one playlist are objects of their own; the
/// plain one that was cached before must not come after a newer one. Pure; times are nanoseconds.
struct EdgeVersions {
    /// The end of a playlist.
    struct Position: Hashable {
        /// Media sequence number after the last whole segment.
        var sequence: Int
        var parts: Int

        /// nil for what is no media playlist.
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
        /// When it had arrived.
        var at: Int64
    }

    /// Bytes of a playlist that is looked into.
    static let longestPlaylist = 4 << 20
    /// Playlists remembered; beyond it all are forgotten, which costs a look at the origin each.
    static let limit = 10_000

    private var known: [String: Known] = [:]

    /// Whether an object that was kept is older than what is known.
    func isOutdated(_ position: Position, of group: String) -> Bool {
        known[group].map { position.isOlder(than: $0.position) } ?? false
    }

    /// An answer of the origin has arrived.
    /// - Parameters:
    ///   - asked: when the origin was asked for it.
    /// - Returns: whether it may be kept: no when it was overtaken on its way.
    mutating func received(
        _ position: Position, of group: String, asked: Int64, at now: Int64
    ) -> Bool {
        if let newest = known[group], position.isOlder(than: newest.position), asked < newest.at {
            return false
        }
        // The origin's own later word counts, also where its stream began anew.
        if known.count >= Self.limit, known[group] == nil { known.removeAll() }
        known[group] = Known(position: position, at: now)
        return true
    }
}
