/// Tells an older copy of a live playlist from news, and both from a stream that began anew.
///
/// Two servers behind a balancer, or a cache with an old entry, answer a reload with what was there
/// seconds ago. Such a copy lists the same segments under the same media sequence numbers, but ends
/// earlier. A stream that began anew has other segments, or goes on from there for good.
public struct PlaylistHistory: Sendable {
    public enum Verdict: Sendable, Hashable {
        /// Something was added, or the list has ended.
        case news
        case unchanged
        /// What was known before: it is kept out.
        case olderCopy
        /// The numbers went back, to some that were never seen: the next answer tells which it is.
        case doubtful
        /// The numbers went back, and what they name is no older copy.
        case newStream
    }

    /// Segments remembered.
    static let memory = 1_000
    /// Older copies alone for so many target durations are no copies: the stream began anew.
    static let patience = 3.0
    /// Seconds, at least.
    static let leastPatience = 6.0

    private var latest: MediaPlaylist?
    /// URIs by media sequence number, and the numbers in the order of their arrival.
    private var names: [Int: Int] = [:]
    private var order: [Int] = []
    private var oldest = 0
    private var olderSince: Double?
    /// The latest doubtful one.
    private var doubtful: MediaPlaylist?

    public init() {}

    /// Judges the next whole playlist; one that is no older copy is what later ones are held against.
    /// - Parameter seconds: when it came, of any clock that goes forward.
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
                // A stream that began anew goes on from there; a copy is followed by what is newer.
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

    /// `.newStream` stands for all that ends earlier.
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
        // Only what is new: a long playlist that grows is not walked through each time.
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
