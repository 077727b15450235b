/// A half-open stretch of time, such as the steady window of a trial on the monotonic clock.
public struct Window: Codable, Sendable, Hashable {
    public var startNanoseconds: Int64
    /// The first moment behind the window.
    public var endNanoseconds: Int64

    public init(startNanoseconds: Int64, endNanoseconds: Int64) {
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
    }

    /// Length of the window: negative if the end comes before the start, and the nearest that 64
    /// bits hold if it is longer than that.
    public var lengthNanoseconds: Int64 {
        let (length, isOverflow) = endNanoseconds.subtractingReportingOverflow(startNanoseconds)
        return isOverflow ? (endNanoseconds > startNanoseconds ? .max : .min) : length
    }

    /// Length of the window in seconds.
    public var seconds: Double { Double(lengthNanoseconds) / 1e9 }

    public func contains(_ nanoseconds: Int64) -> Bool {
        startNanoseconds <= nanoseconds && nanoseconds < endNanoseconds
    }

    /// Returns the part of the window that is over at a time of the same clock. The part is empty
    /// before the window begins.
    public func ended(byNanoseconds now: Int64) -> Window {
        Window(
            startNanoseconds: startNanoseconds,
            endNanoseconds: min(endNanoseconds, max(startNanoseconds, now)))
    }
}
