import HLS

/// Where the renditions' playlists lie against each other. Media sequence numbers are a
/// rendition's own (RFC 8216, 6.2.4): an encoder that was away, or a server that began anew, counts
/// on from elsewhere; the dates tell what belongs together.
extension HLSSessionStateMachine {
    /// A segment of the player and its date, ms since 1970.
    struct Anchor {
        var segment: Int
        var date: Double
    }

    /// Media sequence number of the player's `segment` in a rendition.
    func sequence(_ segment: Int, rung: Int) -> Int {
        segment &+ (rungs[rung].firstSequence ?? baseSequence)
    }

    /// The player's number for a rendition's first listed segment.
    func firstListed(_ playlist: MediaPlaylist, rung: Int) -> Int {
        playlist.firstListedSequence &- (rungs[rung].firstSequence ?? baseSequence)
    }

    /// Segments between what is known and a playlist's window that are still one stream: years of
    /// them. Numbers further away (a server may begin anew with any) say nothing of time.
    static let farthestWindow = 1 << 30

    /// Finds a rendition's place from its newly loaded playlist.
    ///
    /// A playlist that goes on from the one before, of the rendition last heard, keeps its place;
    /// another one is placed by its dates, and without dates only where its numbers went back.
    /// - Parameters:
    ///   - old: of the same rendition.
    ///   - duration: of a segment, ms.
    mutating func align(
        _ playlist: MediaPlaylist, rung: Int, old: MediaPlaylist?, duration: Double
    ) {
        guard isLive, !playlist.segments.isEmpty else {
            // Renditions of a title begin together, whatever their numbers.
            if !isLive, old == nil { rungs[rung].firstSequence = playlist.firstListedSequence }
            return
        }
        defer { anchored(playlist, rung: rung, duration: duration) }
        let goesOn =
            old.map {
                playlist.nextSequence &- $0.nextSequence >= 0
                    && playlist.firstListedSequence &- $0.nextSequence <= 0
            } ?? false
        if goesOn, rung == alignedRung { return }
        if let anchor, let (place, date) = playlist.date(nearest: anchor.date) {
            let distance = ((date - anchor.date) / duration).rounded()
            let limit = Double(Self.farthestWindow)
            if distance.magnitude < limit {
                let segment = anchor.segment + Int(distance)
                rungs[rung].firstSequence = playlist.firstListedSequence &+ place &- segment
            }
        } else if let old, playlist.nextSequence &- old.nextSequence < 0 {
            rungs[rung].firstSequence = playlist.firstListedSequence &- newest &- 1
        }
        let first = firstListed(playlist, rung: rung)
        if !(-Self.farthestWindow...Self.farthestWindow).contains(first &- newest) {
            rungs[rung].firstSequence = playlist.firstListedSequence &- newest &- 1
        }
    }

    private mutating func anchored(_ playlist: MediaPlaylist, rung: Int, duration: Double) {
        alignedRung = rung
        guard let (place, date) = playlist.date(nearest: .infinity) else { return }
        anchor = Anchor(segment: firstListed(playlist, rung: rung) &+ place, date: date)
    }
}

extension MediaPlaylist {
    /// The dated segment that is nearest to a date (ms since 1970), by its place in the playlist;
    /// nil where none has a date.
    fileprivate func date(nearest wanted: Double) -> (place: Int, date: Double)? {
        var best: (place: Int, date: Double)?
        for place in segments.indices {
            guard let stamp = segments[place].programDateTime else { continue }
            let date = Double(stamp.millisecondsSince1970)
            // The last one for a date that is beyond all.
            if let known = best, abs(known.date - wanted) < abs(date - wanted) { continue }
            best = (place, date)
        }
        return best
    }
}
