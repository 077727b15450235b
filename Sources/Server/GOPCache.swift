import NIOCore

/// The media that a joining player gets first: headers, metadata and the last groups of pictures.
struct GOPCache {
    private let gopLimit: Int
    /// Bytes that the whole cache may cost; less than configured if many streams share the memory.
    /// The excess goes at once, because a stream that sends nothing more would otherwise keep it.
    var byteLimit: Int {
        didSet { trim() }
    }
    private(set) var metadata: MediaUnit?
    /// Configurations of the codecs, one for each track: video comes first, and the main track
    /// before others.
    private(set) var headers: [MediaUnit] = []
    /// Units in the order received, from a key frame on.
    private(set) var units: [MediaUnit] = []
    private(set) var byteCount = 0
    /// Bytes of memory that the units take, and bytes that metadata and configurations take.
    private var cost = 0
    private var headerCost = 0
    /// Buffers for joining players, made once for all of them.
    private let burst = JoinBurst()
    private var gopStarts: [Int] = []

    init(gopLimit: Int, byteLimit: Int) {
        self.gopLimit = gopLimit
        self.byteLimit = byteLimit
    }

    var hasVideo: Bool { sawVideo }
    var hasAudio: Bool { sawAudio }
    private var sawVideo = false
    private var sawAudio = false

    mutating func append(_ unit: MediaUnit) {
        switch unit.kind {
        case .data:
            if unit.isMetadata { metadata = unit }
            return trim()
        case .audio:
            sawAudio = true
            if unit.isSequenceHeader { return keep(unit) }
        case .video:
            sawVideo = true
            if unit.isSequenceHeader { return keep(unit) }
        }
        guard gopLimit > 0 else { return }
        if unit.isKeyFrame {
            gopStarts.append(units.count)
            if gopStarts.count > gopLimit { dropOldestGOP() }
        }
        guard !gopStarts.isEmpty else { return }
        units.append(unit)
        byteCount += unit.chunks.readableBytes
        cost += unit.cost
        trimUnits()
    }

    /// Keeps a codec's configuration instead of the earlier one. Frames of the old configuration do
    /// not decode with another.
    private mutating func keep(_ header: MediaUnit) {
        func order(_ unit: MediaUnit) -> Int { (unit.kind == .video ? 0 : 1000) + unit.track }
        if let place = headers.firstIndex(where: { order($0) == order(header) }) {
            if headers[place].payload != header.payload { clear() }
            headers[place] = header
        } else {
            let place = headers.firstIndex { order($0) > order(header) } ?? headers.endIndex
            headers.insert(header, at: place)
        }
        trim()
    }

    /// Cost that metadata and configurations may have each, however many streams share the memory.
    static let headerLimit = 64 << 10
    /// Cost that they may have together without a deduction from the frames' share.
    private static let freeHeaders = 8 << 10

    /// Enforces the limit. Metadata and configurations count too; those that would take more than
    /// their part are not kept, because there is no memory for so many of them.
    private mutating func trim() {
        let most = max(Self.headerLimit, byteLimit / 4)
        if let unit = metadata, unit.cost > most { metadata = nil }
        headers.removeAll { $0.cost > most }
        var own = headers.reduce(metadata?.cost ?? 0) { $0 + $1.cost }
        while own > byteLimit, headers.count > 2, let last = headers.popLast() { own -= last.cost }
        headerCost = max(0, own - Self.freeHeaders)
        trimUnits()
    }

    private mutating func trimUnits() {
        while cost + headerCost > byteLimit, !gopStarts.isEmpty { dropOldestGOP() }
    }

    private mutating func dropOldestGOP() {
        guard gopStarts.count > 1 else { return clear() }
        let end = gopStarts[1]
        for unit in units[..<end] {
            byteCount -= unit.chunks.readableBytes
            cost -= unit.cost
        }
        burst.clear()
        // A group has about as many units as the one before. An array that grew by itself would keep
        // room for up to twice as many.
        var kept: [MediaUnit] = []
        kept.reserveCapacity(units.count + units.count / 16 + 1)
        kept += units[end...]
        units = kept
        gopStarts.removeFirst()
        for i in gopStarts.indices { gopStarts[i] -= end }
    }

    private mutating func clear() {
        units = []
        gopStarts = []
        byteCount = 0
        cost = 0
        burst.clear()
    }

    /// Number of units up to which a joining player gets the buffers of the units themselves.
    private static let sharedLimit = 1024

    /// Returns all units as chunks on message stream 1, or as FLV tags. Very many units, and all
    /// tags, are copied into few buffers, because each buffer costs time.
    func joined(asTags: Bool) -> [ByteBuffer] {
        guard asTags || units.count > Self.sharedLimit else { return units.map(\.chunks) }
        return burst.buffers(of: units, asTags: asTags)
    }
}

/// The units of a cache in few buffers, shared by all players that join. Units that came since the
/// last join are added as one more buffer.
private final class JoinBurst {
    private struct Blocks {
        var buffers: [ByteBuffer] = []
        var count = 0
    }

    private var chunks = Blocks()
    private var tags = Blocks()
    /// Number of buffers beyond which they are merged into one.
    private static let bufferLimit = 16

    func clear() {
        chunks = Blocks()
        tags = Blocks()
    }

    func buffers(of units: [MediaUnit], asTags: Bool) -> [ByteBuffer] {
        asTags ? Self.extend(&tags, units, true) : Self.extend(&chunks, units, false)
    }

    private static func extend(
        _ blocks: inout Blocks, _ units: [MediaUnit], _ asTags: Bool
    ) -> [ByteBuffer] {
        guard blocks.count < units.count else { return blocks.buffers }
        if blocks.buffers.count >= bufferLimit { blocks = Blocks() }
        let new = units[blocks.count...]
        blocks.buffers.append(asTags ? StreamHub.joinedTags(new) : StreamHub.joinedChunks(new))
        blocks.count = units.count
        return blocks.buffers
    }
}
