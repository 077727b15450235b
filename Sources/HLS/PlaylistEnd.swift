/// Present end of a media playlist, which determines what a client may request.
struct PlaylistEnd {
    /// Whether the playlist has ended.
    var isFinished: Bool
    /// Media sequence number of the unfinished segment.
    var nextSequence: Int
    /// Number of parts of the unfinished segment.
    var parts: Int
    /// Number of parts that the playlist lists for the last complete segment.
    var partsBefore: Int

    /// Determines whether the playlist has segment `sequence`, or its part `part`.
    ///
    /// A request for a part that the last complete segment turned out not to have means the first
    /// part of the next segment.
    func availability(sequence: Int, part: Int?) -> Segmenter.Availability {
        if isFinished { return .available }
        var (sequence, part) = (sequence, part)
        if let wanted = part, sequence == nextSequence - 1, wanted >= partsBefore {
            (sequence, part) = (nextSequence, 0)
        }
        if sequence < nextSequence { return .available }
        guard sequence <= nextSequence + 1 else { return .tooFarAhead }
        if let part, sequence == nextSequence, part < parts { return .available }
        return .notYet
    }

    /// Returns an EXT-X-RENDITION-REPORT with the last segment and part.
    func report(uri: String) -> MediaPlaylist.RenditionReport {
        guard parts > 0 else {
            let lastPart = partsBefore - 1
            return .init(
                uri: uri, lastSequence: nextSequence - 1, lastPart: lastPart >= 0 ? lastPart : nil)
        }
        return .init(uri: uri, lastSequence: nextSequence, lastPart: parts - 1)
    }
}
