/// Delays before a supervised program that ended is started again, and the number of failures after
/// which it is given up.
public struct RestartPolicy: Sendable, Codable, Hashable {
    /// Milliseconds before the first restart, 10…60 000.
    public var firstDelayMilliseconds = 250
    /// Longest delay; the delay doubles with each failure in a row up to this;
    /// `firstDelayMilliseconds`…600 000.
    public var longestDelayMilliseconds = 15_000
    /// Failures in a row after which the program has failed for good, 1…1 000.
    public var limit = 20
    /// Running time in milliseconds after which a program begins a new row of failures.
    public var healthyMilliseconds = 10_000

    public init() {}

    /// Returns the delay before a restart.
    ///
    /// - Parameters:
    ///   - failures: Failures in a row, this one included; 1 or more.
    ///   - jitter: Random number, 0…1, that takes off up to half, so that programs that failed
    ///     together do not all come back together.
    public func delayMilliseconds(failures: Int, jitter: Double) -> Int {
        let doublings = min(max(0, failures - 1), 20)
        let whole = min(longestDelayMilliseconds, firstDelayMilliseconds << doublings)
        return whole - Int(Double(whole) / 2 * min(max(jitter, 0), 1))
    }

    func check() throws(LadderError) {
        try LadderConfiguration.check(
            firstDelayMilliseconds, 10...60_000, "milliseconds before the first restart")
        try LadderConfiguration.check(
            longestDelayMilliseconds, firstDelayMilliseconds...600_000,
            "milliseconds before a later restart")
        try LadderConfiguration.check(limit, 1...1_000, "restarts in a row")
        try LadderConfiguration.check(
            healthyMilliseconds, 0...3_600_000, "milliseconds of good running")
    }
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
