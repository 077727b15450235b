/// The life of one supervised program across its restarts. It decides when the program is started
/// again and when it is given up; the caller starts the program, waits and reads the clock.
public struct SupervisorStateMachine: Sendable {
    public enum State: String, Sendable, Codable {
        /// The program has been started, or is about to be, and does not work yet.
        case starting
        case running
        /// The program ended or could not be started; it will be started again.
        case backingOff = "backing-off"
        /// The program was given up.
        case failed
    }

    /// What the caller does after a failure.
    public enum Next: Sendable, Hashable {
        case restart(afterMilliseconds: Int)
        case giveUp
    }

    public private(set) var state = State.starting
    /// Number of times that the program was started again. A start that failed does not count.
    public private(set) var restarts = 0
    /// Number of restarts that were decided, including those that failed to start the program.
    public private(set) var attempts = 0
    /// Reason why the program ended most recently or could not be started; nil before that.
    public private(set) var lastFailure: String?
    private let attemptLimit: Int
    private var backoff: RestartBackoff
    private var hasRun = false
    /// Start of the process in milliseconds of the caller's clock; nil while there is no process.
    private var launchedAt: Int?

    /// - Parameters:
    ///   - policy: Delays, and the number of failures in a row after which the program is given up.
    ///   - attemptLimit: Largest number of restarts in the whole life of the program, including
    ///     those that fail to start it.
    public init(policy: RestartPolicy = .init(), attemptLimit: Int = .max) {
        backoff = RestartBackoff(policy)
        self.attemptLimit = attemptLimit
    }

    /// Notes that the process was started.
    public mutating func launched(atMilliseconds now: Int) {
        if hasRun { restarts += 1 }
        hasRun = true
        launchedAt = now
        state = .starting
    }

    /// Notes that the process works: it listens on its port, or it produces its output.
    public mutating func becameReady() {
        if state == .starting { state = .running }
    }

    /// Notes that the process ended or could not be started.
    ///
    /// - Parameters:
    ///   - reason: Text for `lastFailure`.
    ///   - isPermanent: Whether a restart cannot help.
    ///   - jitter: Random number, 0…1, as `RestartPolicy.delayMilliseconds` takes it.
    public mutating func ended(
        _ reason: String, isPermanent: Bool = false, atMilliseconds now: Int, jitter: Double = 0
    ) -> Next {
        let ran = launchedAt.map { now - $0 } ?? 0
        launchedAt = nil
        lastFailure = reason
        guard !isPermanent, attempts < attemptLimit,
            let delay = backoff.ended(afterMilliseconds: ran, jitter: jitter)
        else {
            state = .failed
            return .giveUp
        }
        attempts += 1
        state = .backingOff
        return .restart(afterMilliseconds: delay)
    }
}
