/// Rules between the media playlists of one presentation (RFC 8216, 6.2.4).
public enum VariantValidator {
    /// A variant's or rendition's playlist, and the known facts about its segments.
    public struct Member: Sendable {
        public var location: String
        public var playlist: MediaPlaylist
        /// Presentation time in seconds of the first video frame (or of the first frame if there is
        /// no video), by the playlist's own media sequence numbers.
        public var startSeconds: [Int: Double]

        public init(location: String, playlist: MediaPlaylist, startSeconds: [Int: Double] = [:]) {
            self.location = location
            self.playlist = playlist
            self.startSeconds = startSeconds
        }
    }

    /// Seconds by which starts of the same media may differ: a frame at 25 per second.
    public static let tolerance = 0.04

    /// Compares each member with the first one. Segments belong together by their dates, or else by
    /// timestamps and discontinuity sequence numbers or by their place in the playlist, never by
    /// media sequence numbers (6.3.2).
    public static func check(_ members: [Member]) -> [Violation] {
        guard let first = members.first else { return [] }
        return members.dropFirst().flatMap { check($0, against: first) }
            + (members.count > 1 ? reports(members) : [])
    }

    private static func check(_ own: Member, against first: Member) -> [Violation] {
        var violations: [Violation] = []
        func add(_ rule: ValidationRule, _ message: String, segment: Int? = nil) {
            let place =
                segment.map { "\(own.location) segment \(MediaPlaylist.sequenceText($0))" }
                ?? own.location
            violations.append(Violation(rule, at: place, message))
        }
        if own.playlist.targetDuration != first.playlist.targetDuration {
            add(
                .variantTarget,
                "the target duration is \(own.playlist.targetDuration) s, that of \(first.location) \(first.playlist.targetDuration) s"
            )
        }
        let ours = VariantTimeline(own)
        let theirs = VariantTimeline(first)
        guard !ours.isEmpty, !theirs.isEmpty else { return violations }
        if ours.hasDates != theirs.hasDates {
            let without = ours.hasDates ? first.location : own.location
            add(.variantDateMissing, "\(without) has no EXT-X-PROGRAM-DATE-TIME, the other has")
        }
        let slack = Double(max(own.playlist.targetDuration, first.playlist.targetDuration))
        let pairs = ours.pairs(in: theirs, slack: slack)
        if pairs.isEmpty {
            add(
                .variantNotCompared,
                "no segment could be compared with \(first.location): neither dates nor timestamps nor a common beginning tell which belong together"
            )
        }
        // Each kind is reported once, because a shift occurs in every segment.
        @discardableResult func addFirst(
            _ rule: ValidationRule, of pairs: [VariantTimeline.Pair],
            _ message: (VariantTimeline.Pair) -> String?
        ) -> Bool {
            for pair in pairs {
                guard let message = message(pair) else { continue }
                add(rule, message, segment: pair.own.sequence)
                return true
            }
            return false
        }
        addFirst(.variantDiscontinuity, of: pairs) { discontinuity($0, first.location) }
        let areDated = addFirst(.variantDates, of: pairs) { date($0, first.location, slack: slack) }
        let areTimed = addFirst(.variantTimestamps, of: pairs) { timestamp($0, first.location) }
        // Wrong times do not show at which positions segments begin.
        let known = areDated || areTimed ? pairs.filter(\.isAligned) : pairs
        addFirst(.variantDurations, of: known) { alignment($0, first.location) }
        return violations
    }

    private static func discontinuity(
        _ pair: VariantTimeline.Pair, _ location: String
    ) -> String? {
        let (own, other) = (pair.own.discontinuities, pair.other.discontinuities)
        return own == other
            ? nil
            : "its discontinuity sequence number is \(MediaPlaylist.sequenceText(own)), at the same time in \(location) \(MediaPlaylist.sequenceText(other))"
    }

    /// Checks whether the dates of the same media differ. For segments with the same date, the
    /// timestamps are compared.
    private static func date(
        _ pair: VariantTimeline.Pair, _ location: String, slack: Double
    ) -> String? {
        var media = pair.offset
        if pair.key == .date {
            if let offset = pair.timestampOffset {
                guard !pair.isAligned else { return nil }
                media = offset
            } else {
                guard let shift = pair.shift, abs(shift - pair.offset) > slack else { return nil }
                media = shift
            }
        }
        guard let difference = pair.dateOffset.map({ $0 - media }),
            abs(difference) > PlaylistValidator.dateTolerance
        else { return nil }
        return
            "its date is \(PlaylistValidator.seconds(difference)) s from that of the same media in \(location)"
    }

    private static func timestamp(_ pair: VariantTimeline.Pair, _ location: String) -> String? {
        guard pair.isAligned || pair.key == .position, let offset = pair.timestampOffset,
            let start = pair.own.start, abs(offset) > tolerance,
            abs(offset - pair.offset)
                > (pair.isAligned ? tolerance : PlaylistValidator.dateTolerance)
        else { return nil }
        let expected = start - offset + pair.offset
        return
            "it starts at \(PlaylistValidator.seconds(start)) s, in \(location) it is then \(PlaylistValidator.seconds(expected)) s"
    }

    private static func alignment(_ pair: VariantTimeline.Pair, _ location: String) -> String? {
        let (own, other) = (pair.own, pair.other)
        if !pair.isAligned {
            return
                "it begins \(PlaylistValidator.seconds(pair.offset)) s after segment \(MediaPlaylist.sequenceText(other.sequence)) in \(location): the segments are not aligned"
        }
        guard abs(own.duration - other.duration) > tolerance else { return nil }
        return
            "it lasts \(PlaylistValidator.seconds(own.duration)) s, in \(location) \(PlaylistValidator.seconds(other.duration)) s: the segments are not aligned"
    }

    /// Checks that low-latency playlists report the state of their siblings (rfc8216bis, 4.4.5.4).
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
                let newest =
                    other.playlist.nextSequence &- (other.playlist.partialSegment == nil ? 1 : 0)
                // The playlists were not read at the same moment.
                if (newest &- last).magnitude > 2 {
                    violations.append(
                        Violation(
                            .reportStale, at: own.location,
                            "EXT-X-RENDITION-REPORT says that \(report.uri) is at segment \(MediaPlaylist.sequenceText(last)); it is at \(MediaPlaylist.sequenceText(newest))"
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
