/// Why a list of periods is no rate schedule, and how to mend it.
public struct RateScheduleError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        /// There is no period.
        case empty
        /// A period lasts no time, or less.
        case nonPositiveDuration
        case negativeRate
        case negativeDelay
        /// A loss probability outside 0 to 1.
        case lossOutOfRange
        /// No period lets a bit pass, and the schedule repeats.
        case allZero
        /// A negative start offset.
        case negativeOffset
        /// The periods together last more than 2^62 ns (146 years).
        case tooLong
    }

    public var code: Code
    /// The period at fault, from 0; nil where it is no single one.
    public var period: Int?
    /// What went wrong and what would mend it.
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
