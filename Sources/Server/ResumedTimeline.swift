/// The point at which an encoder that was started again continues its stream. Timestamps are the
/// source's, so the encoder begins with frames that players have had, and its first key frame may
/// be one of them.
struct ResumedTimeline {
    private var last: UInt32
    private var isPast = false
    private var hasKeyFrame = false

    /// Milliseconds by which a source must jump back to count as one that has begun anew.
    static let backwardLimit: Int32 = 10_000

    /// - Parameter last: Timestamp of the last frame before, in milliseconds.
    init(after last: UInt32) { self.last = last }

    /// Whether a unit continues the stream. Headers and data always do; frames do if they are later
    /// than the frames sent before, and video only from a key frame on.
    mutating func admits(_ unit: MediaUnit) -> Bool {
        guard unit.kind != .data, !unit.isSequenceHeader else { return true }
        if !isPast {
            let ahead = Int32(bitPattern: unit.timestamp &- last)
            guard ahead > 0 || ahead < -Self.backwardLimit else { return false }
            // Audio and video overlap: both are compared with the same last timestamp.
            if unit.kind == .video, unit.isKeyFrame { isPast = true }
        }
        guard unit.kind == .video else { return true }
        if unit.isKeyFrame { hasKeyFrame = true }
        return hasKeyFrame
    }
}
