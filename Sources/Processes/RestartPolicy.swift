/// How soon a supervised program that ended is started again, and when it is given up.
public struct RestartPolicy: Sendable, Codable, Hashable {
    /// Milliseconds before the first restart, 10…60 000.
    public var firstDelayMilliseconds = 250
    /// The delay doubles with each failure in a row, up to this; `firstDelayMilliseconds`…600 000.
    public var longestDelayMilliseconds = 15_000
    /// Failures in a row after which the program has failed for good, 1…1 000.
    public var limit = 20
    /// A program that has run for so long begins a new row of failures.
    public var healthyMilliseconds = 10_000

    public init() {}

    /// The delay before a restart.
    ///
    /// - Parameters:
    ///   - failures: failures in a row, this one included; 1 or more.
    ///   - jitter: 0…1; takes off up to half, so that programs that fell together do not all
    ///     come back together.
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

/// A setting of a `RestartPolicy` is out of its range.
public struct RestartPolicyError: Error, Sendable, CustomStringConvertible {
    /// The setting with its value, and the range that the setting takes.
    public var setting: String

    public var description: String { "the restart policy has \(setting)" }
}

/// The row of failures that one supervised program is in.
public struct RestartBackoff: Sendable {
    private let policy: RestartPolicy
    private var failures = 0

    public init(_ policy: RestartPolicy = .init()) { self.policy = policy }

    /// The program ended, or could not be started.
    ///
    /// - Parameters:
    ///   - ran: how long it ran, milliseconds; 0 where it never did.
    ///   - jitter: 0…1, as `RestartPolicy.delayMilliseconds` takes it.
    /// - Returns: milliseconds until it is to be started again; nil where it is given up.
    public mutating func ended(afterMilliseconds ran: Int, jitter: Double = 0) -> Int? {
        failures = ran >= policy.healthyMilliseconds ? 1 : failures + 1
        guard failures <= policy.limit else { return nil }
        return policy.delayMilliseconds(failures: failures, jitter: jitter)
    }
}
