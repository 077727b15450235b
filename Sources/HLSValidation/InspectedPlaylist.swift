import HLS

/// One media playlist under inspection: its reloads and the facts about its segments.
struct InspectedPlaylist: Sendable {
    struct Fact: Sendable {
        var duration: Double
        var bytes: Int
        var startSeconds: Double?
    }

    struct Removed: Sendable {
        var location: String
        /// Time at which the segment was still listed; it has left the playlist at some time after
        /// that.
        var listedAtSeconds: Double
        /// Time for which the segment must stay available (RFC 8216, 6.2.2): its own duration and
        /// the playlist's.
        var keepSeconds: Double
    }

    let location: String
    /// URL of the latest response, after redirects; the playlist's URIs are relative to it (RFC
    /// 3986, 5.1.3).
    var base: String
    var variant: MultivariantPlaylist.Variant?
    /// Rendition of an EXT-X-MEDIA tag.
    var rendition: MultivariantPlaylist.Rendition?
    var reloads: ReloadValidator
    /// Facts about segments, by media sequence number.
    var facts: [Int: Fact] = [:]
    /// Segments that were fetched or given up, by media sequence number.
    var handled: Set<Int> = []
    var tracks: [MediaPlaylist.InitializationSection: InitializationTracks?] = [:]
    var removed: [Removed] = []
    var checkedResponses = 0
    /// Time at which the latest playlist came.
    private var loadedAtSeconds = 0.0

    /// Largest number of removed segments remembered.
    static let removedLimit = 50

    init(_ location: String) {
        self.location = location
        base = location
        reloads = ReloadValidator(location: location)
    }

    /// Whether the playlist may still grow.
    var isLive: Bool {
        reloads.playlist.map { !$0.hasEndList && $0.type != .vod } ?? false
    }

    /// Processes a whole playlist.
    mutating func receive(
        _ playlist: MediaPlaylist, from source: ResourceSource, atSeconds seconds: Double
    ) -> [Violation] {
        if let old = reloads.playlist, playlist.mediaSequence &- old.mediaSequence > 0 {
            let gone = min(playlist.mediaSequence &- old.mediaSequence, old.segments.count)
            for segment in old.segments.prefix(gone) where !segment.isGap {
                removed.append(
                    Removed(
                        location: source.reference(segment.uri, against: base),
                        listedAtSeconds: loadedAtSeconds,
                        keepSeconds: segment.duration + old.duration))
            }
            removed.removeFirst(max(0, removed.count - Self.removedLimit))
        }
        loadedAtSeconds = seconds
        return reloads.receive(playlist, atSeconds: seconds)
    }

    /// Runs of consecutive segments with their sizes.
    var runs: [[BandwidthValidator.Segment]] {
        var runs: [[BandwidthValidator.Segment]] = []
        var last: Int?
        for sequence in facts.keys.sorted() {
            guard let fact = facts[sequence] else { continue }
            let segment = BandwidthValidator.Segment(duration: fact.duration, bytes: fact.bytes)
            if let last, last == sequence &- 1 {
                runs[runs.count - 1].append(segment)
            } else {
                runs.append([segment])
            }
            last = sequence
        }
        return runs
    }

    /// Violations of segments with media times that contradict EXTINF by more than a tenth of a
    /// second.
    var durationViolations: [Violation] {
        for sequence in facts.keys.sorted() {
            guard let fact = facts[sequence], let start = fact.startSeconds,
                let next = facts[sequence &+ 1]?.startSeconds, next > start,
                let playlist = reloads.playlist
            else { continue }
            let index = sequence &+ 1 &- playlist.firstListedSequence
            let isCut =
                playlist.segments.indices.contains(index)
                && playlist.segments[index].isDiscontinuity
            let difference = (next - start) - fact.duration
            // Times cannot be compared across a discontinuity or a wrap.
            guard !isCut, abs(difference) > 0.1, next - start < 3 * fact.duration + 10 else {
                continue
            }
            return [
                Violation(
                    .durationDiffers,
                    at: "\(location) segment \(MediaPlaylist.sequenceText(sequence))",
                    "EXTINF differs by \((difference * 1000).rounded() / 1000) s from the time to the next segment's first frame"
                )
            ]
        }
        return []
    }
}
