import NIOCore

/// What a joining player is given: headers, metadata and the last groups of pictures.
struct GOPCache {
    private let gopLimit: Int
    private let byteLimit: Int
    private(set) var metadata: MediaUnit?
    private(set) var videoHeader: MediaUnit?
    private(set) var audioHeader: MediaUnit?
    /// In the order received, from a key frame on.
    private(set) var units: [MediaUnit] = []
    private(set) var byteCount = 0
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
        while byteCount > byteLimit, !gopStarts.isEmpty { dropOldestGOP() }
    }

    private mutating func dropOldestGOP() {
        guard gopStarts.count > 1 else { return clear() }
        let end = gopStarts[1]
        for unit in units[..<end] { byteCount -= unit.chunks.readableBytes }
        units.removeFirst(end)
        gopStarts.removeFirst()
        for i in gopStarts.indices { gopStarts[i] -= end }
    }

    private mutating func clear() {
        units = []
        gopStarts = []
        byteCount = 0
    }
}
