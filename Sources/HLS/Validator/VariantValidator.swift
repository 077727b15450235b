/// What media playlists of one presentation owe each other (RFC 8216, 6.2.4).
public enum VariantValidator {
    /// A variant's or rendition's playlist, and what is known of its segments.
    public struct Member: Sendable {
        public var location: String
        public var playlist: MediaPlaylist
        /// Presentation time of the first video frame (or the first frame, without video), seconds,
        /// by media sequence number.
        public var startSeconds: [Int: Double]

        public init(location: String, playlist: MediaPlaylist, startSeconds: [Int: Double] = [:]) {
            self.location = location
            self.playlist = playlist
            self.startSeconds = startSeconds
        }
    }

    /// Seconds by which starts of matching segments may differ: a frame at 25 per second.
    public static let tolerance = 0.04

    /// Compares each member with the first.
    public static func check(_ members: [Member]) -> [Violation] {
        guard let first = members.first else { return [] }
        return members.dropFirst().flatMap { check($0, against: first) }
            + (members.count > 1 ? reports(members) : [])
    }

    private static func check(_ own: Member, against first: Member) -> [Violation] {
        var violations: [Violation] = []
        func add(_ rule: ValidationRule, _ message: String, segment: Int? = nil) {
            let place = segment.map { "\(own.location) segment \($0)" } ?? own.location
            violations.append(Violation(rule, at: place, message))
        }
        if own.playlist.targetDuration != first.playlist.targetDuration {
            add(
                .variantTarget,
                "the target duration is \(own.playlist.targetDuration) s, that of \(first.location) \(first.playlist.targetDuration) s"
            )
        }
        let ours = entries(own.playlist)
        let theirs = entries(first.playlist)
        let hasDates = ours.contains { $0.value.date != nil }
        if hasDates != theirs.contains(where: { $0.value.date != nil }), !ours.isEmpty,
            !theirs.isEmpty
        {
            let without = hasDates ? first.location : own.location
            add(.variantDateMissing, "\(without) has no EXT-X-PROGRAM-DATE-TIME, the other has")
        }
        // One report of each kind: a shift shows on every segment.
        var said: Set<String> = []
        for sequence in ours.keys.sorted() {
            guard let mine = ours[sequence], let other = theirs[sequence] else { continue }
            func once(_ rule: ValidationRule, _ message: String) {
                if said.insert(rule.id).inserted { add(rule, message, segment: sequence) }
            }
            if mine.discontinuities != other.discontinuities {
                once(
                    .variantDiscontinuity,
                    "its discontinuity sequence number is \(mine.discontinuities), in \(first.location) \(other.discontinuities)"
                )
            }
            if let date = mine.date, let otherDate = other.date {
                let difference = Double(date - otherDate) / 1000
                if abs(difference) > PlaylistValidator.dateTolerance {
                    once(
                        .variantDates,
                        "its date is \(PlaylistValidator.seconds(difference)) s from that in \(first.location)"
                    )
                }
            }
            if abs(mine.duration - other.duration) > tolerance {
                once(
                    .variantDurations,
                    "it lasts \(PlaylistValidator.seconds(mine.duration)) s, in \(first.location) \(PlaylistValidator.seconds(other.duration)) s: the segments are not aligned"
                )
            }
            if let start = own.startSeconds[sequence],
                let otherStart = first.startSeconds[sequence],
                abs(start - otherStart) > tolerance
            {
                once(
                    .variantTimestamps,
                    "it starts at \(PlaylistValidator.seconds(start)) s, in \(first.location) at \(PlaylistValidator.seconds(otherStart)) s"
                )
            }
        }
        return violations
    }

    private struct Entry {
        var duration: Double
        /// Milliseconds since 1970; carried on from the last tag.
        var date: Int64?
        var discontinuities: Int
    }

    private static func entries(_ playlist: MediaPlaylist) -> [Int: Entry] {
        var entries: [Int: Entry] = [:]
        var discontinuities = playlist.discontinuitySequence
        var date: Double?
        for (index, segment) in playlist.segments.enumerated() {
            if segment.isDiscontinuity {
                discontinuities += 1
                date = nil
            }
            date = segment.programDateTime.map { Double($0.millisecondsSince1970) } ?? date
            entries[playlist.firstListedSequence + index] = Entry(
                duration: segment.duration, date: date.map { Int64($0.rounded()) },
                discontinuities: discontinuities)
            date = date.map { $0 + segment.duration * 1000 }
        }
        return entries
    }

    /// Low-latency playlists tell where their siblings are (rfc8216bis, 4.4.5.4).
    private static func reports(_ members: [Member]) -> [Violation] {
        var violations: [Violation] = []
        for own in members where own.playlist.partTarget != nil && !own.playlist.hasEndList {
            if own.playlist.renditionReports.isEmpty {
                violations.append(
                    Violation(
                        .reportMissing, at: own.location,
                        "no EXT-X-RENDITION-REPORT of the \(members.count - 1) other playlists: a player that switches has to guess"
                    ))
            }
            for report in own.playlist.renditionReports {
                guard let last = report.lastSequence,
                    let other = members.first(where: { names(report.uri, $0.location) })
                else { continue }
                let edge =
                    other.playlist.nextSequence - (other.playlist.partialSegment == nil ? 1 : 0)
                // The playlists were not read at the same moment.
                if abs(edge - last) > 2 {
                    violations.append(
                        Violation(
                            .reportStale, at: own.location,
                            "EXT-X-RENDITION-REPORT says that \(report.uri) is at segment \(last); it is at \(edge)"
                        ))
                }
            }
        }
        return violations
    }

    /// Whether a relative URI's last components are those of a location.
    private static func names(_ uri: String, _ location: String) -> Bool {
        let path = location.prefix { $0 != "?" }.split(separator: "/")
        let parts = uri.prefix { $0 != "?" }.split(separator: "/").filter {
            $0 != ".." && $0 != "."
        }
        return !parts.isEmpty && path.suffix(parts.count).elementsEqual(parts)
    }
}
