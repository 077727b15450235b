/// Delays before a supervised program that ended is started again, and the number of failures after
/// which it is given up.
public struct RestartPolicy: Sendable, Codable, Hashable {
    /// Milliseconds before the first restart, 10…60 000.
    public var firstDelayMilliseconds = 250
    /// Longest delay in milliseconds, `firstDelayMilliseconds`…600 000. The delay doubles with each
    /// failure in a row until it reaches this value.
    public var longestDelayMilliseconds = 15_000
    /// Largest number of restarts in a row, 1…1 000. After one more failure the program is given
    /// up.
    public var limit = 20
    /// Running time in milliseconds after which a failure is the first of a new row, 0…3 600 000.
    public var healthyMilliseconds = 10_000

    public init() {}

    /// Returns the delay before a restart.
    ///
    /// - Parameters:
    ///   - failures: Number of failures in a row, this one included; 1 or more.
    ///   - jitter: Random number, 0…1, that shortens the delay by up to half, so that programs that
    ///     failed together do not all restart together.
    public func delayMilliseconds(failures: Int, jitter: Double) -> Int {
        let doublings = min(max(0, failures - 1), 20)
        let whole = min(longestDelayMilliseconds, firstDelayMilliseconds << doublings)
        return whole - Int(Double(whole) / 2 * min(max(jitter, 0), 1))
    }

    /// - Throws: `RestartPolicyError` that names the first setting out of its range.
    public func check() throws(RestartPolicyError) {
        try Self.check(
            firstDelayMilliseconds, 10...60_000, "milliseconds before the first restart")
        try Self.check(
            longestDelayMilliseconds, firstDelayMilliseconds...600_000,
            "milliseconds before a later restart")
        try Self.check(limit, 1...1_000, "restarts in a row")
        try Self.check(healthyMilliseconds, 0...3_600_000, "milliseconds of good running")
    }

    private static func check(
        _ value: Int, _ range: ClosedRange<Int>, _ unit: String
    ) throws(RestartPolicyError) {
        guard range.contains(value) else {
            throw RestartPolicyError(
                setting:
                    "\(value) \(unit); it takes \(range.lowerBound) to \(range.upperBound)")
        }
    }
}

/// Error for a setting of a `RestartPolicy` that is out of its range.
public struct RestartPolicyError: Error, Sendable, CustomStringConvertible {
    /// The setting with its value, and the range that the setting takes.
    public var setting: String

    public var description: String { "the restart policy has \(setting)" }
}

/// The row of failures of one supervised program.
public struct RestartBackoff: Sendable {
    private let policy: RestartPolicy
    private var failures = 0

    public init(_ policy: RestartPolicy = .init()) { self.policy = policy }

    /// Notes that the program ended, or could not be started.
    ///
    /// - Parameters:
    ///   - ran: Running time in milliseconds; 0 if the program never ran.
    ///   - jitter: Random number, 0…1, as `RestartPolicy.delayMilliseconds` takes it.
    /// - Returns: Milliseconds until the program is to be started again; nil if it is given up.
    public mutating func ended(afterMilliseconds ran: Int, jitter: Double = 0) -> Int? {
        failures = ran >= policy.healthyMilliseconds ? 1 : failures + 1
        guard failures <= policy.limit else { return nil }
        return policy.delayMilliseconds(failures: failures, jitter: jitter)
    }
}
