import Media

extension Segmenter {
    /// One for every half of the segment duration since 2026: segments would have to be shorter than
    /// that on average for their numbers to overtake this.
    func firstSequence(_ date: ProgramDateTime) -> Int {
        let milliseconds = Double(date.millisecondsSince1970 - Self.numberingBegin)
        return max(0, Int(milliseconds / (500 * configuration.segmentDuration)))
    }

    /// From when sequence numbers are counted: 2026-01-01T00:00:00Z, ms.
    public static let numberingBegin: Int64 = 1_767_225_600_000

    /// The media playlist as it is now; nil before the first segment is whole.
    public var playlist: MediaPlaylist? {
        guard let target = targetDuration, let first = store.segments.first else { return nil }
        var playlist = MediaPlaylist(
            version: configuration.container == .fmp4 ? 6 : 3, targetDuration: target,
            mediaSequence: first.number, discontinuitySequence: discontinuitySequence,
            hasEndList: isFinished,
            hasIndependentSegments: store.segments.allSatisfy(\.isIndependent)
                && open?.isIndependent != false)
        playlist.segments = store.segments.map(\.entry)
        // Parts are listed near the end only (rfc8216bis, 6.2.2): three target durations.
        var distance = 0.0
        for index in playlist.segments.indices.reversed() {
            if isFinished || distance > 3 * Double(target) { playlist.segments[index].parts = [] }
            distance += playlist.segments[index].duration
        }
        if let partTarget {
            let part = Self.seconds(partTarget)
            playlist.partTarget = part
            playlist.serverControl = .init(
                canBlockReload: true, canSkipUntil: 6 * Double(target),
                holdBack: 3 * Double(target), partHoldBack: Self.seconds(3 * partTarget))
            if !isFinished, let open {
                if !open.parts.isEmpty || open.isDiscontinuity {
                    playlist.partialSegment = .init(
                        parts: open.parts, isDiscontinuity: open.isDiscontinuity,
                        map: map)
                }
                playlist.preloadHints = [.init(uri: hintedPart)]
            }
        }
        return playlist
    }

    /// The name of the part that comes next.
    public var hintedPart: String { partName(nextSequence, open?.parts.count ?? 0) }

    /// Where the playlist ends: the number of the segment being made and how many of its parts
    /// are there.
    public var position: (sequence: Int, parts: Int) { (nextSequence, open?.parts.count ?? 0) }

    /// How a blocking reload stands (rfc8216bis, 6.2.5.2).
    public enum Availability: Sendable, Hashable {
        case available
        case notYet
        /// The request is wrong: answer 400.
        case tooFarAhead
    }

    /// Whether the playlist has segment `sequence`, or its part `part`.
    ///
    /// A part that its segment turned out not to have means the first of the next segment.
    public func availability(sequence: Int, part: Int?) -> Availability {
        if isFinished { return .available }
        var (sequence, part) = (sequence, part)
        if let wanted = part, sequence == nextSequence - 1,
            wanted >= store.segments.last?.entry.parts.count ?? 0
        {
            (sequence, part) = (nextSequence, 0)
        }
        if sequence < nextSequence { return .available }
        guard sequence <= nextSequence + 1 else { return .tooFarAhead }
        if let part, sequence == nextSequence, part < open?.parts.count ?? 0 { return .available }
        return .notYet
    }

    /// The last segment and part, as EXT-X-RENDITION-REPORT gives them.
    public func report(uri: String) -> MediaPlaylist.RenditionReport? {
        guard targetDuration != nil else { return nil }
        guard let parts = open?.parts.count, parts > 0 else {
            let lastPart = (store.segments.last?.entry.parts.count ?? 0) - 1
            return .init(
                uri: uri, lastSequence: nextSequence - 1, lastPart: lastPart >= 0 ? lastPart : nil)
        }
        return .init(uri: uri, lastSequence: nextSequence, lastPart: parts - 1)
    }

    /// A segment, part or initialization section by its name, as long as it is kept: at least
    /// for the playlist's and its own duration after it has left the playlist.
    public func resource(_ name: String) -> HLSResource? { store.resources[name] }

    /// Bytes of all that is kept.
    public var byteCount: Int { store.byteCount }

    /// Seconds of the segments that the playlist lists.
    public var listedDuration: Double { Self.seconds(store.listedDuration) }

    /// This stream as a variant of a multivariant playlist, its bit rates as measured so far; nil
    /// before the first segment is whole.
    public func variant(uri: String) -> MultivariantPlaylist.Variant? {
        guard targetDuration != nil, bandwidth.peak > 0 else { return nil }
        let sps = tracks.sps
        let measured = 90_000 / cadence.meanTicks
        return .init(
            uri: uri, bandwidth: bandwidth.peak, averageBandwidth: bandwidth.average,
            codecs: tracks.codecs,
            resolution: sps.map { .init(width: $0.width, height: $0.height) },
            frameRate: sps.map { (($0.framesPerSecond ?? measured) * 1000).rounded() / 1000 })
    }
}
