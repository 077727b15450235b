/// Distinguishes an older copy of a live playlist from a new version, and both from a stream that
/// was restarted.
///
/// Two servers behind a balancer, or a cache with an old entry, may answer a reload with a version
/// of some seconds ago. Such a copy lists the same segments under the same media sequence numbers,
/// but ends earlier. A restarted stream has other segments, or continues from there permanently.
public struct PlaylistHistory: Sendable {
    public enum Verdict: Sendable, Hashable {
        /// Something was added, or the list has ended.
        case news
        case unchanged
        /// The playlist has only known contents, so it is kept out.
        case olderCopy
        /// The numbers went back, to some that were never seen; the next response determines what
        /// that means.
        case doubtful
        /// The numbers went back, and the segments are not those of an older copy.
        case newStream
    }

    /// Number of segments remembered.
    static let memory = 1_000
    /// Number of target durations after which a series of older copies alone counts as a stream
    /// that began anew.
    static let patience = 3.0
    /// Least duration of that series in seconds.
    static let leastPatience = 6.0

    private var latest: MediaPlaylist?
    /// URIs by media sequence number, and the numbers in the order of their arrival.
    private var names: [Int: Int] = [:]
    private var order: [Int] = []
    private var oldest = 0
    private var olderSince: Double?
    /// Latest doubtful playlist.
    private var doubtful: MediaPlaylist?

    public init() {}

    /// Judges the next whole playlist. Later playlists are compared with the latest one that is not
    /// an older copy.
    /// - Parameter seconds: Time of arrival, on any clock that goes forward.
    public mutating func judge(_ playlist: MediaPlaylist, atSeconds seconds: Double) -> Verdict {
        guard let latest else {
            accept(playlist)
            return .news
        }
        var verdict = Self.compare(playlist, latest)
        if verdict == .newStream {
            let since = olderSince ?? seconds
            let limit = max(
                Self.leastPatience, Self.patience * Double(playlist.targetDuration))
            switch relation(of: playlist) {
            case .copy: if seconds - since <= limit { verdict = .olderCopy }
            case .foreign: break
            case .unknown:
                // A stream that began anew continues from there; a copy is followed by newer
                // playlists.
                let goesOn =
                    doubtful.map {
                        let step = playlist.nextSequence &- $0.nextSequence
                        return step >= 0 && step <= 1 + $0.segments.count
                    } ?? false
                if !goesOn { verdict = .doubtful }
                doubtful = playlist
            }
        }
        if verdict == .olderCopy || verdict == .doubtful {
            olderSince = olderSince ?? seconds
            return verdict
        }
        olderSince = nil
        doubtful = nil
        if verdict == .newStream {
            names.removeAll()
            order.removeAll()
            oldest = 0
        }
        accept(playlist)
        return verdict
    }

    /// Compares two playlists; `.newStream` stands for everything that ends earlier.
    private static func compare(_ playlist: MediaPlaylist, _ latest: MediaPlaylist) -> Verdict {
        let ahead = playlist.nextSequence &- latest.nextSequence
        if ahead > 0 { return .news }
        if ahead < 0 { return .newStream }
        let parts = playlist.partialSegment?.parts.count ?? 0
        let before = latest.partialSegment?.parts.count ?? 0
        if parts > before || playlist.hasEndList != latest.hasEndList { return .news }
        return parts < before ? .olderCopy : .unchanged
    }

    private enum Relation { case copy, foreign, unknown }

    /// Whether the segments are those that were seen under the same numbers.
    private func relation(of playlist: MediaPlaylist) -> Relation {
        var known = 0
        for (index, segment) in playlist.segments.enumerated() {
            guard let name = names[playlist.firstListedSequence &+ index] else { continue }
            guard name == Self.name(segment) else { return .foreign }
            known += 1
        }
        return known > 0 ? .copy : .unknown
    }

    private static func name(_ segment: MediaPlaylist.Segment) -> Int {
        var hasher = Hasher()
        hasher.combine(segment.uri)
        hasher.combine(segment.byteRange)
        return hasher.finalize()
    }

    private mutating func accept(_ playlist: MediaPlaylist) {
        // Only new segments are examined, so that a long playlist that grows is not walked through
        // each time.
        var first = 0
        if let latest, playlist.nextSequence &- latest.nextSequence >= 0 {
            let added = playlist.nextSequence &- latest.nextSequence
            first = max(0, playlist.segments.count - max(0, min(added, playlist.segments.count)))
            if names[playlist.firstListedSequence] == nil { first = 0 }
        }
        for index in first..<playlist.segments.count {
            let sequence = playlist.firstListedSequence &+ index
            if names.updateValue(Self.name(playlist.segments[index]), forKey: sequence) == nil {
                order.append(sequence)
            }
        }
        while order.count - oldest > Self.memory {
            names[order[oldest]] = nil
            oldest += 1
        }
        if oldest > Self.memory {
            order.removeFirst(oldest)
            oldest = 0
        }
        latest = playlist
    }
}
