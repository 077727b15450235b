/// Reason why a list of periods is not a rate schedule, and its remedy.
public struct RateScheduleError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        /// There is no period.
        case empty
        /// The duration of a period is 0 or negative.
        case nonPositiveDuration
        case negativeRate
        case negativeDelay
        /// A loss probability is outside 0 to 1.
        case lossOutOfRange
        /// No period has a rate above 0, and the schedule repeats.
        case allZero
        /// The start offset is negative.
        case negativeOffset
        /// The periods together last more than 2^62 ns (146 years).
        case tooLong
    }

    public var code: Code
    /// Index of the faulty period, from 0; nil if the fault is not in a single period.
    public var period: Int?
    /// Description of the fault and of its remedy.
    public var message: String

    init(_ code: Code, period: Int? = nil, _ message: String) {
        self.code = code
        self.period = period
        self.message = message
    }

    public var description: String {
        period.map { "period \($0 + 1): \(message)" } ?? message
    }
}
