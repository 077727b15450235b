/// Where an encoder that was started again takes up its stream: timestamps are the source's, so it
/// begins with frames that players have had, and its first key frame may lie among them.
struct ResumedTimeline {
    private var last: UInt32
    private var isPast = false
    private var hasKeyFrame = false

    /// A source that jumps back by more than so many milliseconds has begun anew.
    static let backwardLimit: Int32 = 10_000

    /// - Parameter last: timestamp of the last frame before, milliseconds.
    init(after last: UInt32) { self.last = last }

    /// Whether a unit goes on: headers and data always, frames that are later than what was sent, of
    /// video from a key frame on.
    mutating func admits(_ unit: MediaUnit) -> Bool {
        guard unit.kind != .data, !unit.isSequenceHeader else { return true }
        if !isPast {
            let ahead = Int32(bitPattern: unit.timestamp &- last)
            guard ahead > 0 || ahead < -Self.backwardLimit else { return false }
            // Audio and video overlap: each is held against the same last timestamp.
            if unit.kind == .video, unit.isKeyFrame { isPast = true }
        }
        guard unit.kind == .video else { return true }
        if unit.isKeyFrame { hasKeyFrame = true }
        return hasKeyFrame
    }
}
