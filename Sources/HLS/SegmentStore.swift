public import NIOCore

/// A file that a playlist names or has named.
public struct HLSResource: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case initialization
        case segment
        case part
    }

    public var kind: Kind
    public var contentType: String
    /// Shared by all that ask for it.
    public var bytes: ByteBuffer
    /// When it could be asked for first, by the segmenter's clock; nil without one.
    public var publishedNanoseconds: Int64?
}

/// One finished segment, with what the playlist says of it.
struct StoredSegment: Sendable {
    var number: Int
    var entry: MediaPlaylist.Segment
    /// Ticks of 90 kHz.
    var duration: Int64
    var byteCount: Int
    /// Whether it can be decoded without those before it.
    var isIndependent: Bool
    /// Names of its parts, also after the playlist has ceased to list them.
    var partNames: [String]
    /// Bytes of its initialization section where the segment before it has another one.
    var mapBytes = 0

    /// Bytes of memory that a segment takes beside its own: ever so many short ones are not free.
    static let overhead = 1024
    /// What it costs a budget.
    var cost: Int { byteCount + mapBytes + Self.overhead }
}

/// Segments, parts and initialization sections of one stream by name, until they have been out of
/// the playlist for long enough (RFC 8216, 6.2.2).
struct SegmentStore: Sendable {
    private struct Retired: Sendable {
        var segment: StoredSegment
        /// Media time, in ticks, at which it may go.
        var expiry: Int64
    }

    private(set) var resources: [String: HLSResource] = [:]
    private(set) var segments: [StoredSegment] = []
    private(set) var byteCount = 0
    private var retired: [Retired] = []
    /// Ticks of media added so far: the clock by which retired segments expire.
    private var mediaClock: Int64 = 0
    /// Ticks of the longest playlist so far.
    private var longestPlaylist: Int64 = 0

    /// Ticks of the segments listed.
    private(set) var listedDuration: Int64 = 0

    /// Bytes of all resources but parts, which share their segment's.
    mutating func add(_ resource: HLSResource, named name: String) {
        resources[name] = resource
        if resource.kind != .part { byteCount += resource.bytes.readableBytes }
    }

    /// A part's bytes lie in those of its segment from now on.
    mutating func share(_ bytes: ByteBuffer, named name: String) {
        resources[name]?.bytes = bytes
    }

    mutating func append(_ segment: StoredSegment) {
        segments.append(segment)
        mediaClock += segment.duration
        listedDuration += segment.duration
        listedCost += segment.cost
    }

    /// Takes the oldest segments out of the playlist until no more than `window` ticks, `byteLimit`
    /// bytes and `limit` segments remain; returns them. At least `least` stay.
    mutating func slide(
        window: Int64, byteLimit: Int, limit: Int, least: Int = 3
    ) -> [StoredSegment] {
        longestPlaylist = max(longestPlaylist, listedDuration)
        var removed: [StoredSegment] = []
        while segments.count > least,
            listedDuration - segments[0].duration >= window || listedCost > byteLimit
                || segments.count > limit
        {
            removed.append(retireFirst())
        }
        expire(byteLimit: byteLimit, limit: 2 * limit)
        return removed
    }

    /// Takes all segments out of the playlist.
    mutating func retireAll() -> [StoredSegment] {
        longestPlaylist = max(longestPlaylist, listedDuration)
        var removed: [StoredSegment] = []
        while !segments.isEmpty { removed.append(retireFirst()) }
        return removed
    }

    /// What the segments listed cost.
    private var listedCost = 0

    private mutating func retireFirst() -> StoredSegment {
        let segment = segments.removeFirst()
        listedDuration -= segment.duration
        listedCost -= segment.cost
        let expiry = mediaClock + segment.duration + longestPlaylist
        retired.append(Retired(segment: segment, expiry: expiry))
        return segment
    }

    /// Bytes of all that can be fetched, and of what it takes to know of it.
    private var cost: Int {
        byteCount + (segments.count + retired.count) * StoredSegment.overhead
    }

    /// Forgets segments that have been out of the playlist for long enough, and more where there are
    /// more bytes or segments than may be.
    mutating func expire(byteLimit: Int, limit: Int) {
        var count = 0
        for old in retired {
            guard
                old.expiry <= mediaClock || cost - count * StoredSegment.overhead > byteLimit
                    || retired.count - count > limit
            else { break }
            drop(old.segment)
            count += 1
        }
        retired.removeFirst(count)
        guard count > 0 else { return }
        // Initialization sections stay as long as a segment needs them.
        let maps = Set((segments + retired.map(\.segment)).compactMap { $0.entry.map?.uri })
        guard let current = segments.last?.entry.map?.uri else { return }
        for (name, resource) in resources
        where resource.kind == .initialization && !maps.contains(name) && name != current {
            byteCount -= resource.bytes.readableBytes
            resources.removeValue(forKey: name)
        }
    }

    private mutating func drop(_ segment: StoredSegment) {
        resources.removeValue(forKey: segment.entry.uri)
        for name in segment.partNames { resources.removeValue(forKey: name) }
        byteCount -= segment.byteCount
    }
}
