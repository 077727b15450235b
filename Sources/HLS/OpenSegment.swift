import Media
import NIOCore

/// The unfinished segment.
struct OpenSegment: Sendable {
    /// Decode time of its first frame.
    let start: Int64
    let isDiscontinuity: Bool
    let isIndependent: Bool
    /// Time at which the unfinished part begins.
    private(set) var partStart: Int64
    /// Frames of the unfinished part.
    private(set) var pending: [CodedFrame] = []
    private(set) var byteCount = 0
    private var frameCount = 0
    /// Number of bytes that the container adds to the frames.
    private var addedBytes = 0
    /// Bytes of memory that a frame takes besides its own, so that very many frames of one byte
    /// have a cost.
    static let frameOverhead = 256
    /// Cost of the segment for a limit, in bytes.
    var cost: Int { byteCount + addedBytes + frameCount * Self.frameOverhead }
    /// Finished pieces; each one is a part if parts are offered.
    private(set) var pieces: [ByteBuffer] = []
    var parts: [MediaPlaylist.Part] = []
    private var lastIndex: [CodedFrame.Kind: Int] = [:]

    init(start: Int64, isDiscontinuity: Bool, isIndependent: Bool) {
        self.start = start
        self.isDiscontinuity = isDiscontinuity
        self.isIndependent = isIndependent
        partStart = start
    }

    /// Whether the unfinished part begins with a key frame of the track that cuts.
    func isPartIndependent(_ kind: CodedFrame.Kind) -> Bool {
        pending.first { $0.kind == kind }?.isKeyFrame ?? false
    }

    /// Adds a frame; its time determines the duration of the frame before it.
    /// - Parameter added: Bytes that the container puts before the frame.
    mutating func append(_ frame: CodedFrame, added: Int = 0) {
        endLast(frame.kind, at: frame.decodeTime)
        lastIndex[frame.kind] = pending.count
        pending.append(frame)
        byteCount += frame.payload.readableBytes
        frameCount += 1
        addedBytes += added
    }

    mutating func endLast(_ kind: CodedFrame.Kind, at time: Int64) {
        guard let index = lastIndex[kind] else { return }
        pending[index].duration = max(0, time - pending[index].decodeTime)
    }

    /// Ends the part; `bytes` is its piece.
    mutating func endPart(_ bytes: ByteBuffer, at end: Int64) {
        pieces.append(bytes)
        pending.removeAll(keepingCapacity: true)
        lastIndex.removeAll(keepingCapacity: true)
        partStart = end
    }
}

/// Duration of a frame, from the last few frames: the longest of the usual durations.
struct FrameCadence: Sendable {
    private var recent: [Int64] = []

    mutating func add(_ duration: Int64) {
        guard duration > 0 else { return }
        if recent.count == 12 { recent.removeFirst() }
        recent.append(duration)
    }

    /// Mean of the usual durations, in ticks.
    var meanTicks: Double {
        guard let least = recent.min() else { return 3600 }
        let usual = recent.filter { 2 * $0 <= 3 * least }
        return Double(usual.reduce(0, +)) / Double(usual.count)
    }

    /// Duration in ticks; 1/25 s before the second frame.
    var ticks: Int64 {
        guard let least = recent.min() else { return 3600 }
        return recent.filter { 2 * $0 <= 3 * least }.max() ?? least
    }
}
