import NIOCore

/// What a joining player is given: headers, metadata and the last groups of pictures.
struct GOPCache {
    private let gopLimit: Int
    /// Bytes that the units may cost; less than configured where many streams share a memory.
    var byteLimit: Int
    private(set) var metadata: MediaUnit?
    private(set) var videoHeader: MediaUnit?
    private(set) var audioHeader: MediaUnit?
    /// In the order received, from a key frame on.
    private(set) var units: [MediaUnit] = []
    private(set) var byteCount = 0
    /// Bytes of memory that the units take.
    private var cost = 0
    /// What joining players are sent, made once for all of them.
    private let burst = JoinBurst()
    private var gopStarts: [Int] = []

    init(gopLimit: Int, byteLimit: Int) {
        self.gopLimit = gopLimit
        self.byteLimit = byteLimit
    }

    var hasVideo: Bool { videoHeader != nil || sawVideo }
    var hasAudio: Bool { audioHeader != nil || sawAudio }
    private var sawVideo = false
    private var sawAudio = false

    mutating func append(_ unit: MediaUnit) {
        switch unit.kind {
        case .data:
            if unit.isMetadata { metadata = unit }
            return
        case .audio:
            sawAudio = true
            if unit.isSequenceHeader {
                if audioHeader.map({ $0.payload != unit.payload }) ?? false { clear() }
                audioHeader = unit
                return
            }
        case .video:
            sawVideo = true
            if unit.isSequenceHeader {
                // Frames of the old parameter sets do not decode with the new ones.
                if videoHeader.map({ $0.payload != unit.payload }) ?? false { clear() }
                videoHeader = unit
                return
            }
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
        while cost > byteLimit, !gopStarts.isEmpty { dropOldestGOP() }
    }

    private mutating func dropOldestGOP() {
        guard gopStarts.count > 1 else { return clear() }
        let end = gopStarts[1]
        for unit in units[..<end] {
            byteCount -= unit.chunks.readableBytes
            cost -= unit.cost
        }
        burst.clear()
        units.removeFirst(end)
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

    /// All units in few buffers: as chunks on message stream 1, or as FLV tags.
    func joined(asTags: Bool) -> [ByteBuffer] { burst.buffers(of: units, asTags: asTags) }
}

/// The units of a cache in few buffers, shared by all players that join. What came since the last
/// one joined is added as one buffer more.
private final class JoinBurst {
    private struct Blocks {
        var buffers: [ByteBuffer] = []
        var count = 0
    }

    private var chunks = Blocks()
    private var tags = Blocks()
    /// More buffers than this are made one.
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
