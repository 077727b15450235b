package import Results
import Sockets

/// Samples real time minus monotonic time, and keeps the range of the difference.
package struct ClockOffsetSampler: Sendable {
    package private(set) var offset = Manifest.ClockOffset()
    private var hasSample = false

    package init() {}

    /// Reads both clocks.
    package mutating func sample() {
        let now = Clock.offset().nanoseconds
        offset.minimumNanoseconds = hasSample ? min(offset.minimumNanoseconds, now) : now
        offset.maximumNanoseconds = hasSample ? max(offset.maximumNanoseconds, now) : now
        hasSample = true
    }
}
