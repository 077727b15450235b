import Glibc
public import Results

/// Samples real time minus monotonic time, and keeps the range it moved in.
public struct ClockOffsetSampler: Sendable {
    public private(set) var offset = Manifest.ClockOffset()
    private var hasSample = false

    public init() {}

    /// Nanoseconds of the monotonic clock.
    public static func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

    /// Nanoseconds of real time since 1970.
    public static func realNanoseconds() -> Int64 { read(CLOCK_REALTIME) }

    /// Reads both clocks, of several tries the one least interrupted.
    public mutating func sample() {
        var best: (width: Int64, offset: Int64) = (.max, 0)
        for _ in 0..<8 {
            let before = Self.monotonicNanoseconds()
            let real = Self.realNanoseconds()
            let after = Self.monotonicNanoseconds()
            if after - before < best.width {
                best = (after - before, real - before - (after - before) / 2)
            }
        }
        let low = hasSample ? offset.minimumNanoseconds : best.offset
        let high = hasSample ? offset.maximumNanoseconds : best.offset
        offset.minimumNanoseconds = min(low, best.offset)
        offset.maximumNanoseconds = max(high, best.offset)
        hasSample = true
    }

    /// How far the offset moved.
    public var stepNanoseconds: Int64 { offset.maximumNanoseconds - offset.minimumNanoseconds }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
