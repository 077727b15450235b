import HLS
import NIOCore

/// Latest known position of each playlist, whatever directives it was requested with: an older
/// version is not served once a newer one has been.
///
/// Blocking reloads, delta updates and plain loads of one playlist are separate objects; a plain
/// one that was cached earlier must not come after a newer one. The type is pure; times are
/// nanoseconds.
struct EdgeVersions {
    /// The end of a playlist.
    struct Position: Hashable {
        /// Media sequence number after the last whole segment.
        var sequence: Int
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
        /// Time at which that position had arrived.
        var at: Int64
    }

    /// Longest playlist that is examined, in bytes.
    static let longestPlaylist = 4 << 20
    /// Largest number of playlists remembered; beyond it all are forgotten, and each then costs one
    /// request to the origin.
    static let limit = 10_000

    private var known: [String: Known] = [:]

    /// Whether a cached object is older than the latest known position.
    func isOutdated(_ position: Position, of group: String) -> Bool {
        known[group].map { position.isOlder(than: $0.position) } ?? false
    }

    /// Notes a response of the origin.
    /// - Parameters:
    ///   - asked: Time of the request to the origin.
    /// - Returns: Whether the response may be kept; it may not if a newer one overtook it on the
    ///   way.
    mutating func received(
        _ position: Position, of group: String, asked: Int64, at now: Int64
    ) -> Bool {
        if let newest = known[group], position.isOlder(than: newest.position), asked < newest.at {
            return false
        }
        // A later response of the origin counts, even if its stream began anew.
        if known.count >= Self.limit, known[group] == nil { known.removeAll() }
        known[group] = Known(position: position, at: now)
        return true
    }
}
