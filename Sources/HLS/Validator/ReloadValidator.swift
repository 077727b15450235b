/// Follows one media playlist over its reloads (RFC 8216, 6.2.1 and 6.2.2).
public struct ReloadValidator: Sendable {
    /// A segment as it was first listed.
    private struct Known: Sendable {
        var segment: MediaPlaylist.Segment
        /// Number of discontinuities up to and including this segment.
        var discontinuities: Int
    }

    /// Number of segments remembered of a playlist; older ones are forgotten.
    static let memory = 10_000

    private let location: String
    private var previous: MediaPlaylist?
    private var known: [Int: Known] = [:]
    /// Numbers in the order in which they were first listed; those before `oldest` are forgotten.
    private var order: [Int] = []
    private var oldest = 0
    var rememberedSegments: Int { known.count }
    private var lastChange = 0.0

    public init(location: String) { self.location = location }

    /// The latest whole playlist.
    public var playlist: MediaPlaylist? { previous }

    /// Checks the next whole playlist.
    ///
    /// - Parameters:
    ///   - playlist: Whole playlist; a delta update must be merged before.
    ///   - seconds: Time of arrival, on any clock that goes forward.
    public mutating func receive(_ playlist: MediaPlaylist, atSeconds seconds: Double)
        -> [Violation]
    {
        var violations: [Violation] = []
        if let previous {
            violations += Self.header(previous, playlist, at: location)
            let hasNews =
                playlist.nextSequence != previous.nextSequence
                || playlist.partialSegment != previous.partialSegment
                || playlist.hasEndList
            if hasNews {
                lastChange = seconds
            } else if !previous.hasEndList {
                violations += staleness(playlist, seconds)
            }
            violations += parts(previous, playlist)
        } else {
            lastChange = seconds
        }
        violations += identity(playlist)
        previous = playlist
        return violations
    }

    private func staleness(_ playlist: MediaPlaylist, _ seconds: Double) -> [Violation] {
        // The limit is half a target duration more than the rule's, because two reloads of this
        // program may be that far apart.
        let limit = 2 * Double(playlist.targetDuration)
        guard seconds - lastChange > limit else { return [] }
        return [
            Violation(
                .playlistStale, at: location,
                "nothing new after segment \(MediaPlaylist.sequenceText(playlist.nextSequence &- 1)) for over two target durations (\(PlaylistValidator.seconds(limit)) s); one and a half are allowed"
            )
        ]
    }

    private static func header(
        _ old: MediaPlaylist, _ new: MediaPlaylist, at location: String
    ) -> [Violation] {
        var violations: [Violation] = []
        func add(_ rule: ValidationRule, _ message: String) {
            violations.append(Violation(rule, at: location, message))
        }
        if old.targetDuration != new.targetDuration {
            add(
                .targetChanged,
                "the target duration changed from \(old.targetDuration) to \(new.targetDuration) s"
            )
        }
        if new.mediaSequence &- old.mediaSequence < 0 {
            add(
                .sequenceDecreased,
                "EXT-X-MEDIA-SEQUENCE went back from \(text(old.mediaSequence)) to \(text(new.mediaSequence))"
            )
        } else if new.nextSequence &- old.nextSequence < 0 {
            add(
                .sequenceDecreased,
                "the last segment went back from \(text(old.nextSequence &- 1)) to \(text(new.nextSequence &- 1))"
            )
        }
        violations += shortness(old, new, at: location)
        if old.hasEndList, !new.hasEndList {
            add(.endListRemoved, "EXT-X-ENDLIST is gone: the playlist goes on after its end")
        }
        if old.type != new.type, old.type != nil {
            add(.typeViolated, "EXT-X-PLAYLIST-TYPE changed")
        } else if new.type != nil, new.mediaSequence != old.mediaSequence {
            add(
                .typeViolated,
                "segments were removed from a playlist of type \(new.type?.rawValue ?? "")")
        } else if old.type == .vod, new.nextSequence != old.nextSequence {
            add(.typeViolated, "a playlist of type VOD has new segments")
        }
        return violations
    }

    private static func text(_ sequence: Int) -> String { MediaPlaylist.sequenceText(sequence) }

    /// Checks the segments that were removed between two loads, and whether enough segments are
    /// left (RFC 8216, 6.2.2). A young stream is short because few segments were made, whatever its
    /// first number is.
    private static func shortness(
        _ old: MediaPlaylist, _ new: MediaPlaylist, at location: String
    ) -> [Violation] {
        let removed = new.mediaSequence &- old.mediaSequence
        let listed = new.duration + PlaylistValidator.partialDuration(new)
        let shortest = 3 * Double(new.targetDuration)
        guard removed > 0, !new.hasEndList, new.type == nil, new.skippedSegments == nil,
            listed < shortest - 0.000_5
        else { return [] }
        return [
            Violation(
                .playlistTooShort, at: location,
                "segments were removed although only \(PlaylistValidator.seconds(listed)) s are left; three target durations are \(PlaylistValidator.seconds(shortest)) s"
            )
        ]
    }

    /// Checks that a segment keeps its URI, duration, date and place among discontinuities.
    private mutating func identity(_ playlist: MediaPlaylist) -> [Violation] {
        var violations: [Violation] = []
        var discontinuities = playlist.discontinuitySequence
        for (index, segment) in playlist.segments.enumerated() {
            let sequence = playlist.firstListedSequence &+ index
            if segment.isDiscontinuity { discontinuities &+= 1 }
            guard let old = known[sequence] else {
                known[sequence] = Known(segment: segment, discontinuities: discontinuities)
                order.append(sequence)
                continue
            }
            violations += Self.changes(
                old.segment, segment, at: "\(location) segment \(Self.text(sequence))")
            if old.discontinuities != discontinuities {
                violations.append(
                    Violation(
                        .discontinuitySequence, at: "\(location) segment \(Self.text(sequence))",
                        "its discontinuity sequence number changed from \(Self.text(old.discontinuities)) to \(Self.text(discontinuities)): EXT-X-DISCONTINUITY-SEQUENCE counts the tags that were removed"
                    ))
            }
        }
        while order.count - oldest > Self.memory {
            known[order[oldest]] = nil
            oldest += 1
        }
        if oldest > Self.memory {
            order.removeFirst(oldest)
            oldest = 0
        }
        return violations
    }

    private static func changes(
        _ old: MediaPlaylist.Segment, _ new: MediaPlaylist.Segment, at place: String
    ) -> [Violation] {
        var violations: [Violation] = []
        if old.uri != new.uri || old.byteRange != new.byteRange {
            violations.append(
                Violation(
                    .segmentChanged, at: place,
                    "this media sequence number was \(old.uri) and is now \(new.uri): it grows by one for each segment removed, and by nothing else"
                ))
        } else if abs(old.duration - new.duration) > 0.000_5 {
            violations.append(
                Violation(
                    .segmentChanged, at: place,
                    "its duration changed from \(PlaylistValidator.seconds(old.duration)) to \(PlaylistValidator.seconds(new.duration)) s"
                ))
        } else if let before = old.programDateTime, let after = new.programDateTime,
            before != after
        {
            violations.append(
                Violation(
                    .dateChanged, at: place, "its date changed from \(before) to \(after)"))
        }
        return violations
    }

    /// Checks that parts of the unfinished segment keep their URIs.
    private func parts(_ old: MediaPlaylist, _ new: MediaPlaylist) -> [Violation] {
        guard let before = old.partialSegment?.parts, !before.isEmpty else { return [] }
        let sequence = old.nextSequence
        let after: [MediaPlaylist.Part]
        if sequence == new.nextSequence {
            after = new.partialSegment?.parts ?? []
        } else if new.segments.indices.contains(sequence &- new.firstListedSequence) {
            after = new.segments[sequence &- new.firstListedSequence].parts
        } else {
            return []
        }
        // A finished segment may be listed without its parts.
        guard !after.isEmpty else { return [] }
        for (index, part) in before.enumerated() {
            guard index < after.count, after[index] == part else {
                return [
                    Violation(
                        .partChanged,
                        at: "\(location) segment \(Self.text(sequence)) part \(index)",
                        index < after.count
                            ? "it was \(part.uri) and is now \(after[index].uri)"
                            : "\(part.uri) was listed and is gone")
                ]
            }
        }
        return []
    }
}
