/// A half-open stretch of time, such as the steady window of a trial on the monotonic clock.
public struct Window: Codable, Sendable, Hashable {
    public var startNanoseconds: Int64
    /// The first moment behind the window.
    public var endNanoseconds: Int64

    public init(startNanoseconds: Int64, endNanoseconds: Int64) {
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
    }

    public func contains(_ nanoseconds: Int64) -> Bool {
        startNanoseconds <= nanoseconds && nanoseconds < endNanoseconds
    }
}
