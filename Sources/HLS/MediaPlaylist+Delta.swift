extension MediaPlaylist {
    /// Makes a delta update: this playlist with its first `count` segments skipped (EXT-X-SKIP).
    /// - Parameter count: Number of segments to skip, limited to the number of whole segments; 0
    ///   gives the playlist itself.
    public func skipping(_ count: Int) -> MediaPlaylist {
        let count = min(max(0, count), segments.count)
        guard count > 0, skippedSegments == nil else { return self }
        var delta = self
        delta.version = max(9, version)
        delta.segments.removeFirst(count)
        delta.skippedSegments = count
        return delta
    }

    /// Number of segments that a delta update may skip: those further from the playlist's end than
    /// CAN-SKIP-UNTIL; 0 if the server does not skip.
    public var skippableSegments: Int {
        guard let limit = serverControl?.canSkipUntil else { return 0 }
        var distance = partialSegment?.parts.reduce(0) { $0 + $1.duration } ?? 0
        var index = segments.count
        // A segment is skipped only if it ends before the boundary.
        while index > 0, distance < limit {
            index -= 1
            distance += segments[index].duration
        }
        return index
    }

    /// Merges a delta update into this playlist and returns the whole playlist; a playlist that
    /// skips nothing is returned unchanged.
    ///
    /// EXT-X-MAP and EXT-X-KEY that were in force at the end of the skipped segments stay in force.
    /// - Throws: `PlaylistError.cannotMerge` if this playlist lacks a skipped segment: the client
    ///   then requests the whole playlist (rfc8216bis, 6.3.7).
    public func merging(delta: MediaPlaylist) throws(PlaylistError) -> MediaPlaylist {
        guard let skipped = delta.skippedSegments else { return delta }
        guard skippedSegments == nil else {
            throw PlaylistError(.cannotMerge, "a delta update merges with a whole playlist only")
        }
        let first = delta.mediaSequence &- mediaSequence
        let (end, overflow) = first.addingReportingOverflow(skipped)
        guard first >= 0, !overflow, end <= segments.count else {
            throw PlaylistError(
                .cannotMerge,
                "segments \(Self.sequenceText(delta.mediaSequence)) to \(Self.sequenceText(delta.firstListedSequence &- 1)) are skipped, "
                    + "but \(Self.sequenceText(mediaSequence)) to \(Self.sequenceText(nextSequence &- 1)) are known"
            )
        }
        var merged = delta
        merged.skippedSegments = nil
        merged.segments = Array(segments[first..<end])
        merged.segments.reserveCapacity(skipped + delta.segments.count)
        for var segment in delta.segments {
            let previous = merged.segments.last
            segment.map = segment.map ?? previous?.map
            // An initialization section that comes first in the update has the key of the skipped
            // segments, unless a key came before it.
            if segment.map?.key == nil, segment.key == nil { segment.map?.key = previous?.key }
            segment.key = segment.key ?? previous?.key
            segment.bitrateKilobits = segment.bitrateKilobits ?? previous?.bitrateKilobits
            if let range = segment.byteRange, range.offset == nil {
                guard let previous, previous.uri == segment.uri, let before = previous.byteRange,
                    before.offset != nil
                else {
                    throw PlaylistError(
                        .cannotMerge, "\(segment.uri) goes on after a byte range that is not known")
                }
                guard let offset = before.end else {
                    throw PlaylistError(
                        .cannotMerge, "the byte range of \(segment.uri) goes beyond every file")
                }
                segment.byteRange?.offset = offset
            }
            merged.segments.append(segment)
        }
        if var partial = merged.partialSegment {
            partial.map = partial.map ?? merged.segments.last?.map
            partial.key = partial.key ?? merged.segments.last?.key
            merged.partialSegment = partial
        }
        return merged
    }
}
