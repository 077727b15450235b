public import Results
import Sockets

/// Samples real time less monotonic time, and keeps the range in which the difference moved.
public struct ClockOffsetSampler: Sendable {
    public private(set) var offset = Manifest.ClockOffset()
    private var hasSample = false

    public init() {}

    /// Reads both clocks.
    public mutating func sample() {
        let now = Clock.offset().nanoseconds
        offset.minimumNanoseconds = hasSample ? min(offset.minimumNanoseconds, now) : now
        offset.maximumNanoseconds = hasSample ? max(offset.maximumNanoseconds, now) : now
        hasSample = true
    }
}
