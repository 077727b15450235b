import HLS

/// Alignment of the renditions' playlists. Every rendition has its own media sequence numbers (RFC
/// 8216, 6.2.4): after a restart of an encoder or a server, its numbers may continue from any
/// value. Dates determine which segments belong together.
struct HLSAlignment {
    /// A segment of the player and its date, ms since 1970.
    private struct Anchor {
        var segment: Int
        var date: Double
    }

    /// By rendition: media sequence number of the player's segment 0; nil = `baseSequence`.
    private var firstSequences: [Int?]
    /// Media sequence number of the player's segment 0 in the first rendition that was loaded.
    private let baseSequence: Int
    /// Reference by which renditions are aligned, and the rendition whose playlist gave it.
    private var anchor: Anchor?
    private var alignedRendition: Int?
    /// The newest segment of the player that any playlist listed; negative before the first.
    private(set) var newest = -1

    init(renditionCount: Int, baseSequence: Int) {
        firstSequences = Array(repeating: nil, count: renditionCount)
        self.baseSequence = baseSequence
    }

    mutating func note(newest segment: Int) { newest = max(newest, segment) }

    /// Media sequence number of the player's `segment` in a rendition.
    func sequence(_ segment: Int, rendition: Int) -> Int {
        segment &+ (firstSequences[rendition] ?? baseSequence)
    }

    /// The player's number for a rendition's first listed segment.
    func firstListed(_ playlist: MediaPlaylist, rendition: Int) -> Int {
        playlist.firstListedSequence &- (firstSequences[rendition] ?? baseSequence)
    }

    /// Largest number of segments between the known ones and a playlist's window that still counts
    /// as one stream: years of media. Numbers further away say nothing of time, because a server
    /// may restart with any number.
    private static let farthestWindow = 1 << 30

    /// Aligns a rendition by its newly loaded playlist of a title. The renditions of a title begin
    /// together, whatever their numbers are.
    mutating func alignTitle(_ playlist: MediaPlaylist, rendition: Int) {
        firstSequences[rendition] = playlist.firstListedSequence
    }

    /// Aligns a rendition by its newly loaded live playlist, which lists a segment.
    ///
    /// A playlist that continues the previous one of the rendition loaded last keeps its alignment.
    /// Another playlist is aligned by its dates, and without dates only if its numbers went back.
    /// - Parameters:
    ///   - old: the previous playlist of the same rendition.
    ///   - duration: duration of a segment, ms.
    mutating func alignLive(
        _ playlist: MediaPlaylist, rendition: Int, old: MediaPlaylist?, duration: Double
    ) {
        defer { setAnchor(playlist, rendition: rendition) }
        let goesOn =
            old.map {
                playlist.nextSequence &- $0.nextSequence >= 0
                    && playlist.firstListedSequence &- $0.nextSequence <= 0
            } ?? false
        if goesOn, rendition == alignedRendition { return }
        if let anchor, let (place, date) = playlist.date(nearest: anchor.date) {
            let distance = ((date - anchor.date) / duration).rounded()
            let limit = Double(Self.farthestWindow)
            if distance.magnitude < limit {
                let segment = anchor.segment + Int(distance)
                firstSequences[rendition] = playlist.firstListedSequence &+ place &- segment
            }
        } else if let old, playlist.nextSequence &- old.nextSequence < 0 {
            firstSequences[rendition] = playlist.firstListedSequence &- newest &- 1
        }
        let first = firstListed(playlist, rendition: rendition)
        if !(-Self.farthestWindow...Self.farthestWindow).contains(first &- newest) {
            firstSequences[rendition] = playlist.firstListedSequence &- newest &- 1
        }
    }

    private mutating func setAnchor(_ playlist: MediaPlaylist, rendition: Int) {
        alignedRendition = rendition
        guard let (place, date) = playlist.date(nearest: .infinity) else { return }
        anchor = Anchor(
            segment: firstListed(playlist, rendition: rendition) &+ place, date: date)
    }
}

extension MediaPlaylist {
    /// The dated segment that is nearest to a date (ms since 1970), by its index in the playlist;
    /// nil if no segment has a date.
    fileprivate func date(nearest wanted: Double) -> (place: Int, date: Double)? {
        var best: (place: Int, date: Double)?
        for place in segments.indices {
            guard let stamp = segments[place].programDateTime else { continue }
            let date = Double(stamp.millisecondsSince1970)
            // For a date later than all dates, this chooses the last segment.
            if let known = best, abs(known.date - wanted) < abs(date - wanted) { continue }
            best = (place, date)
        }
        return best
    }
}
