import Media
import NIOCore

/// The segment that is being made.
struct OpenSegment: Sendable {
    /// Decode time of its first frame.
    let start: Int64
    let isDiscontinuity: Bool
    let isIndependent: Bool
    /// Where the part that is being made begins.
    private(set) var partStart: Int64
    /// Frames of that part.
    private(set) var pending: [CodedFrame] = []
    private(set) var byteCount = 0
    private var frameCount = 0
    /// What the container adds to the frames.
    private var addedBytes = 0
    /// Bytes of memory that a frame takes beside its own: ever so many of one byte are not free.
    static let frameOverhead = 256
    /// What the segment costs.
    var cost: Int { byteCount + addedBytes + frameCount * Self.frameOverhead }
    /// Finished pieces; each is a part where parts are offered.
    private(set) var pieces: [ByteBuffer] = []
    var parts: [MediaPlaylist.Part] = []
    private var lastIndex: [CodedFrame.Kind: Int] = [:]

    init(start: Int64, isDiscontinuity: Bool, isIndependent: Bool) {
        self.start = start
        self.isDiscontinuity = isDiscontinuity
        self.isIndependent = isIndependent
        partStart = start
    }

    /// The part that is being made begins with a key frame of the track that cuts.
    func isPartIndependent(_ kind: CodedFrame.Kind) -> Bool {
        pending.first { $0.kind == kind }?.isKeyFrame ?? false
    }

    /// Adds a frame, whose time tells how long the one before it lasts.
    /// - Parameter added: bytes that the container puts before it.
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

    /// Ends the part: its piece is `bytes`.
    mutating func endPart(_ bytes: ByteBuffer, at end: Int64) {
        pieces.append(bytes)
        pending.removeAll(keepingCapacity: true)
        lastIndex.removeAll(keepingCapacity: true)
        partStart = end
    }
}

/// How long a frame lasts, from the last few: the longest of those that are usual.
struct FrameCadence: Sendable {
    private var recent: [Int64] = []

    mutating func add(_ duration: Int64) {
        guard duration > 0 else { return }
        if recent.count == 12 { recent.removeFirst() }
        recent.append(duration)
    }

    /// The mean of those that are usual, in ticks.
    var meanTicks: Double {
        guard let least = recent.min() else { return 3600 }
        let usual = recent.filter { 2 * $0 <= 3 * least }
        return Double(usual.reduce(0, +)) / Double(usual.count)
    }

    /// Ticks; 1/25 s before the second frame.
    var ticks: Int64 {
        guard let least = recent.min() else { return 3600 }
        return recent.filter { 2 * $0 <= 3 * least }.max() ?? least
    }
}
