/// A media playlist's segments by time. The numbers of two playlists say nothing about each other
/// (RFC 8216, 6.3.2): only time and discontinuity sequence numbers show which media are the same.
struct VariantTimeline {
    struct Entry {
        /// Media sequence number.
        var sequence: Int
        var duration: Double
        var discontinuities: Int
        /// Date in seconds since 1970, continued from the last tag.
        var date: Double?
        /// Presentation time of the first frame in seconds.
        var start: Double?
        /// Seconds of the segments listed before this one.
        var elapsed: Double
        /// Whether no segment was removed before this one.
        var isWhole: Bool
    }

    /// A segment of this playlist, and the segment of another playlist that was current at its
    /// start.
    struct Pair {
        /// Kind of time by which the two were paired.
        enum Key {
            case date, position, timestamp
        }

        var own: Entry
        var other: Entry
        var key: Key
        /// Seconds by which `own` begins later, by the key.
        var offset: Double
        /// Whether the two segments begin together.
        var isAligned: Bool
    }

    private let entries: [Entry]
    private let byDate: Order
    private let byElapsed: Order
    private let byStart: [Int: Order]
    private let byAnyStart: Order
    /// Position of each listed discontinuity.
    private let discontinuities: [Int: Double]

    var isEmpty: Bool { entries.isEmpty }
    var hasDates: Bool { !byDate.isEmpty }

    init(_ member: VariantValidator.Member) {
        let entries = Self.entries(member)
        let cuts = zip(entries, member.playlist.segments).filter { $0.1.isDiscontinuity }
        self.entries = entries
        byDate = Order(entries, by: \.date)
        byElapsed = Order(entries) { $0.elapsed }
        byStart = Dictionary(grouping: entries, by: \.discontinuities).mapValues {
            Order($0, by: \.start)
        }
        byAnyStart = Order(entries, by: \.start)
        discontinuities = .init(
            uniqueKeysWithValues: cuts.map { ($0.0.discontinuities, $0.0.elapsed) })
    }

    private static func entries(_ member: VariantValidator.Member) -> [Entry] {
        let playlist = member.playlist
        // Numbers are never below 0, so no segment was removed if they begin there.
        let isWhole =
            playlist.skippedSegments == nil
            && (playlist.type != nil || playlist.hasEndList && playlist.mediaSequence == 0)
        var discontinuities = playlist.discontinuitySequence
        var date: Double?
        var elapsed = 0.0
        return playlist.segments.enumerated().map { index, segment in
            if segment.isDiscontinuity {
                discontinuities &+= 1
                date = nil
            }
            date = segment.programDateTime.map { Double($0.millisecondsSince1970) / 1000 } ?? date
            defer {
                date? += segment.duration
                elapsed += segment.duration
            }
            let sequence = playlist.firstListedSequence &+ index
            return Entry(
                sequence: sequence, duration: segment.duration, discontinuities: discontinuities,
                date: date, start: member.startSeconds[sequence], elapsed: elapsed, isWhole: isWhole
            )
        }
    }

    /// Pairs each segment with the other playlist's segment of the same time, if there is one.
    ///
    /// - Parameter slack: Seconds by which the beginnings of whole playlists may differ: a target
    ///   duration.
    func pairs(in other: VariantTimeline, slack: Double) -> [Pair] {
        let dated = entries.compactMap { other.byDate.match($0, at: $0.date, as: .date) }
        let rest = dated.isEmpty ? entries : entries.filter { $0.date == nil }
        let isDisjoint = Set(byStart.keys).isDisjoint(with: other.byStart.keys)
        let started = rest.map { own in
            (isDisjoint ? other.byAnyStart : other.byStart[own.discontinuities])?.match(
                own, at: own.start, as: .timestamp)
        }
        let sure = started.map { pair in
            pair.flatMap { $0.isAligned && abs($0.shift ?? 0) <= slack ? $0 : nil }
        }
        let lag = lag(behind: other, (dated + sure.compactMap(\.self)).first { $0.isAligned })
        return dated
            + rest.indices.compactMap { index in
                let own = rest[index]
                return sure[index]
                    ?? other.byElapsed.match(own, at: lag.map { own.elapsed - $0 }, as: .position)
                    ?? started[index]
            }
    }

    /// Seconds by which media lie later in this list than in the other.
    private func lag(behind other: VariantTimeline, _ known: Pair?) -> Double? {
        if entries.first?.isWhole == true, other.entries.first?.isWhole == true { return 0 }
        if let known { return known.own.elapsed - known.other.elapsed }
        return discontinuities.keys.sorted().lazy.compactMap { number in
            other.discontinuities[number].flatMap { place in
                discontinuities[number].map { $0 - place }
            }
        }.first
    }
}

extension VariantTimeline.Pair {
    /// Seconds by which the segment lies later in its playlist; nil unless both playlists are
    /// whole.
    var shift: Double? {
        own.isWhole && other.isWhole ? own.elapsed - other.elapsed : nil
    }
    /// Seconds by which its timestamps are later. Timestamps across a discontinuity are not
    /// related.
    var timestampOffset: Double? {
        isAligned || own.discontinuities == other.discontinuities
            ? Self.difference(own.start, other.start) : nil
    }
    var dateOffset: Double? { Self.difference(own.date, other.date) }

    private static func difference(_ a: Double?, _ b: Double?) -> Double? {
        guard let a, let b else { return nil }
        return a - b
    }
}

/// Segments in the order of one kind of time.
private struct Order {
    private var items: [(seconds: Double, entry: VariantTimeline.Entry)]

    var isEmpty: Bool { items.isEmpty }

    init(_ entries: [VariantTimeline.Entry], by time: (VariantTimeline.Entry) -> Double?) {
        items = entries.compactMap { entry in time(entry).map { ($0, entry) } }
        items.sort { $0.seconds < $1.seconds }
    }

    /// Returns the nearest segment if it begins together with `own`, or else the segment during
    /// which `own` begins, or that begins during `own`.
    ///
    /// - Parameter seconds: Start of `own` in this order's time.
    func match(
        _ own: VariantTimeline.Entry, at seconds: Double?, as key: VariantTimeline.Pair.Key
    ) -> VariantTimeline.Pair? {
        guard let seconds else { return nil }
        let tolerance =
            key == .timestamp ? VariantValidator.tolerance : PlaylistValidator.dateTolerance
        let next = firstIndex(after: seconds)
        let around = items[max(0, next - 1)..<min(items.count, next + 1)]
        func pair(_ item: (seconds: Double, entry: VariantTimeline.Entry)) -> VariantTimeline.Pair {
            let offset = seconds - item.seconds
            return .init(
                own: own, other: item.entry, key: key, offset: offset,
                isAligned: abs(offset) <= tolerance)
        }
        let nearest = around.min { abs($0.seconds - seconds) < abs($1.seconds - seconds) }
        if let nearest, abs(nearest.seconds - seconds) <= tolerance { return pair(nearest) }
        return around.first {
            seconds < $0.seconds + $0.entry.duration - tolerance
                && $0.seconds < seconds + own.duration - tolerance
        }.map(pair)
    }

    private func firstIndex(after seconds: Double) -> Int {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle].seconds <= seconds { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
