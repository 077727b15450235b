import Media

extension Segmenter {
    /// First media sequence number: one for every half of the segment duration since 2026. Segments
    /// would have to be shorter than that on average for their numbers to overtake this one.
    func firstSequence(_ date: ProgramDateTime) -> Int {
        let milliseconds = Double(date.millisecondsSince1970 - Self.numberingBegin)
        return max(0, Int(milliseconds / (500 * configuration.segmentDuration)))
    }

    /// Time from which sequence numbers are counted: 2026-01-01T00:00:00Z, in ms.
    public static let numberingBegin: Int64 = 1_767_225_600_000

    /// Current media playlist; nil before the first segment is whole.
    public var playlist: MediaPlaylist? {
        guard let target = targetDuration, let first = writer.store.segments.first else {
            return nil
        }
        var playlist = MediaPlaylist(
            version: configuration.container == .fmp4 ? 6 : 3, targetDuration: target,
            mediaSequence: first.number, discontinuitySequence: discontinuitySequence,
            hasEndList: isFinished,
            hasIndependentSegments: writer.store.segments.allSatisfy(\.isIndependent)
                && open?.isIndependent != false)
        playlist.segments = writer.store.segments.map(\.entry)
        // Parts are listed only within three target durations of the end (rfc8216bis, 6.2.2).
        var distance = 0.0
        for index in playlist.segments.indices.reversed() {
            if isFinished || distance > 3 * Double(target) { playlist.segments[index].parts = [] }
            distance += playlist.segments[index].duration
        }
        if let partTarget = cutter.partTarget {
            let part = Self.seconds(partTarget)
            playlist.partTarget = part
            playlist.serverControl = .init(
                canBlockReload: true, canSkipUntil: 6 * Double(target),
                holdBack: 3 * Double(target), partHoldBack: Self.seconds(3 * partTarget))
            if !isFinished, let open {
                if !open.parts.isEmpty || open.isDiscontinuity {
                    playlist.partialSegment = .init(
                        parts: open.parts, isDiscontinuity: open.isDiscontinuity,
                        map: writer.map)
                }
                playlist.preloadHints = [.init(uri: hintedPart)]
            }
        }
        return playlist
    }

    /// Name of the next part.
    public var hintedPart: String {
        writer.partName(nextSequence, open?.parts.count ?? 0)
    }

    /// End of the playlist: the number of the unfinished segment and the number of its parts.
    public var position: (sequence: Int, parts: Int) { (nextSequence, open?.parts.count ?? 0) }

    /// State of a blocking reload (rfc8216bis, 6.2.5.2).
    public enum Availability: Sendable, Hashable {
        case available
        case notYet
        /// The request is wrong and is answered with status 400.
        case tooFarAhead
    }

    /// Determines whether the playlist has segment `sequence`, or its part `part`.
    ///
    /// A part that its segment turned out not to have means the first part of the next segment.
    public func availability(sequence: Int, part: Int?) -> Availability {
        end.availability(sequence: sequence, part: part)
    }

    private var end: PlaylistEnd {
        PlaylistEnd(
            isFinished: isFinished, nextSequence: nextSequence, parts: open?.parts.count ?? 0,
            partsBefore: writer.store.segments.last?.entry.parts.count ?? 0)
    }

    /// Returns an EXT-X-RENDITION-REPORT with the last segment and part; nil before the first
    /// segment.
    public func report(uri: String) -> MediaPlaylist.RenditionReport? {
        targetDuration == nil ? nil : end.report(uri: uri)
    }

    /// Returns a segment, part or initialization section by its name, as long as it is kept: after
    /// it has left the playlist, for at least the playlist's duration and its own.
    public func resource(_ name: String) -> HLSResource? { writer.store.resources[name] }

    /// Bytes of everything that is kept.
    public var byteCount: Int { writer.store.byteCount }

    /// Seconds of the segments that the playlist lists.
    public var listedDuration: Double { Self.seconds(writer.store.listedDuration) }

    /// Describes this stream as a variant of a multivariant playlist, with the bit rates measured
    /// so far; nil before the first segment is whole.
    public func variant(uri: String) -> MultivariantPlaylist.Variant? {
        guard targetDuration != nil, bandwidth.peak > 0 else { return nil }
        let sps = tracks.sps
        let measured = 90_000 / cutter.cadence.meanTicks
        return .init(
            uri: uri, bandwidth: bandwidth.peak, averageBandwidth: bandwidth.average,
            codecs: tracks.codecs,
            resolution: sps.map { .init(width: $0.width, height: $0.height) },
            frameRate: sps.map { (($0.framesPerSecond ?? measured) * 1000).rounded() / 1000 })
    }
}
