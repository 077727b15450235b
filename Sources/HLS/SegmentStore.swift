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
    /// Bytes of the file, shared by all requests for it.
    public var bytes: ByteBuffer
    /// Time at which it could first be requested, on the segmenter's clock; nil without a clock.
    public var publishedNanoseconds: Int64?
}

/// One finished segment, with the facts that the playlist states about it.
struct StoredSegment: Sendable {
    var number: Int
    var entry: MediaPlaylist.Segment
    /// Duration in ticks of 90 kHz.
    var duration: Int64
    var byteCount: Int
    /// Whether the segment can be decoded without earlier segments.
    var isIndependent: Bool
    /// Names of its parts, even after the playlist has ceased to list them.
    var partNames: [String]
    /// Length of its initialization section if the segment before it has another one.
    var mapBytes = 0

    /// Bytes of memory that a segment takes besides its own, so that very many short segments have
    /// a cost.
    static let overhead = 1024
    /// Cost of the segment against a limit, in bytes.
    var cost: Int { byteCount + mapBytes + Self.overhead }
}

/// Segments, parts and initialization sections of one stream by name, until they have been out of
/// the playlist for long enough (RFC 8216, 6.2.2).
struct SegmentStore: Sendable {
    private struct Retired: Sendable {
        var segment: StoredSegment
        /// Media time in ticks at which the segment may be forgotten.
        var expiry: Int64
    }

    private(set) var resources: [String: HLSResource] = [:]
    private(set) var segments: [StoredSegment] = []
    private(set) var byteCount = 0
    private var retired: [Retired] = []
    /// Ticks of media added so far. Retired segments expire by this clock.
    private var mediaClock: Int64 = 0
    /// Longest playlist so far, in ticks.
    private var longestPlaylist: Int64 = 0

    /// Ticks of the segments listed.
    private(set) var listedDuration: Int64 = 0

    /// Adds a resource. The bytes of all resources count except those of parts, which share their
    /// segment's bytes.
    mutating func add(_ resource: HLSResource, named name: String) {
        resources[name] = resource
        if resource.kind != .part { byteCount += resource.bytes.readableBytes }
    }

    /// Lets a part share the bytes of its segment.
    mutating func share(_ bytes: ByteBuffer, named name: String) {
        resources[name]?.bytes = bytes
    }

    mutating func append(_ segment: StoredSegment) {
        segments.append(segment)
        mediaClock += segment.duration
        listedDuration += segment.duration
        listedCost += segment.cost
    }

    /// Takes the oldest segments out of the playlist until at most `window` ticks, `byteLimit`
    /// bytes and `limit` segments remain, and returns them. At least `least` stay.
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

    /// Cost of the segments listed.
    private var listedCost = 0

    private mutating func retireFirst() -> StoredSegment {
        let segment = segments.removeFirst()
        listedDuration -= segment.duration
        listedCost -= segment.cost
        let expiry = mediaClock + segment.duration + longestPlaylist
        retired.append(Retired(segment: segment, expiry: expiry))
        return segment
    }

    /// Bytes of everything that can be fetched, with the memory for its bookkeeping.
    private var cost: Int {
        byteCount + (segments.count + retired.count) * StoredSegment.overhead
    }

    /// Forgets segments that have been out of the playlist for long enough, and more of them if a
    /// limit on bytes or segments is exceeded.
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
