import NIOCore

/// The time for which messages wait to leave together, and whether the kernel may merge small
/// writes (Nagle's algorithm).
///
/// A fixed interval holds for video, too: everything that came within it leaves in one write, which
/// costs as much less as frames come in an interval, and as much delay. Without one, the load
/// decides, and video never waits.
///
/// With few writes a second, every message leaves at once. With many, the writes themselves are the
/// server's load: audio then leaves with the next video frame, and a player that has not
/// acknowledged the bytes before gets several messages in one packet. Lazy readers cost half as
/// much that way, and frames are not later on a fast network, because the loop is through with all
/// players sooner. On a long way, the last bytes of a frame may wait for one acknowledgement.
struct FlushPolicy {
    /// Writes a second above which a loop is under load, and below which it is so no more. Merging
    /// itself removes more than half of the writes, so the numbers lie far apart.
    static let loadedWrites = 5000
    static let idleWrites = 1000
    /// Milliseconds for which audio waits under load.
    static let loadedMilliseconds = 40

    /// Interval that the user has fixed; nil = it follows the load.
    private let fixedMilliseconds: Int?
    private var writes = 0
    /// Whether the loop is under load. It is never so if the interval is fixed.
    private(set) var isLoaded = false

    init(milliseconds: Int?) { fixedMilliseconds = milliseconds }

    /// Whether video waits for the end of the interval, too.
    var holdsVideo: Bool { (fixedMilliseconds ?? 0) > 0 }

    /// The time for which messages wait.
    var interval: TimeAmount {
        .milliseconds(
            Int64(fixedMilliseconds ?? (isLoaded ? Self.loadedMilliseconds : 0)))
    }

    mutating func count(writes: Int) { self.writes += writes }

    /// Judges the writes since the last call, which was a second ago. Returns whether the load has
    /// begun or ended.
    mutating func judge() -> Bool {
        defer { writes = 0 }
        guard fixedMilliseconds == nil else { return false }
        let wasLoaded = isLoaded
        isLoaded = writes > (wasLoaded ? Self.idleWrites : Self.loadedWrites)
        return isLoaded != wasLoaded
    }
}
