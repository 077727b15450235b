import Processes

/// The life of one supervised encoder; it decides when the encoder is started again and when it is
/// given up.
struct EncoderStateMachine: Sendable {
    enum Next: Sendable, Hashable {
        case restart(afterMilliseconds: Int)
        /// The encoder failed for good, or it was told to end.
        case finish
    }

    private(set) var state = LadderStatus.State.starting
    private(set) var pid: Int32?
    private(set) var restarts = 0
    private(set) var lastError: String?
    private(set) var progress = EncoderProgress()
    private var backoff: RestartBackoff
    private var launches = 0
    /// Milliseconds of the caller's clock.
    private var launchedAt = 0
    private var lastFrameAt = 0

    init(policy: RestartPolicy) { backoff = RestartBackoff(policy) }

    private var isEnding: Bool { state == .stopping || state == .stopped }

    mutating func launched(pid: Int32, atMilliseconds now: Int) {
        self.pid = pid
        if launches > 0 { restarts += 1 }
        launches += 1
        launchedAt = now
        lastFrameAt = now
        progress = EncoderProgress()
        if !isEnding { state = .starting }
    }

    /// Processes a line of the encoder's standard output.
    mutating func reported(_ line: String, atMilliseconds now: Int) {
        let before = progress.frames ?? 0
        guard progress.receive(line), let frames = progress.frames, frames > before else { return }
        lastFrameAt = now
        if state == .starting { state = .running }
    }

    /// Whether the encoder runs and has made no frame for `limit` milliseconds.
    func isStalled(forMilliseconds limit: Int, atMilliseconds now: Int) -> Bool {
        (state == .starting || state == .running) && pid != nil && now - lastFrameAt > limit
    }

    /// Notes that the process ended or could not be started.
    ///
    /// - Parameters:
    ///   - reason: Reason, with the last line of standard error.
    ///   - isPermanent: Whether a restart cannot help.
    ///   - jitter: Random number, 0…1.
    mutating func ended(
        _ reason: String, isPermanent: Bool = false, atMilliseconds now: Int, jitter: Double
    ) -> Next {
        let ran = pid != nil ? now - launchedAt : 0
        pid = nil
        guard !isEnding else {
            state = .stopped
            return .finish
        }
        lastError = reason
        guard !isPermanent, let delay = backoff.ended(afterMilliseconds: ran, jitter: jitter) else {
            state = .failed
            return .finish
        }
        state = .backingOff
        return .restart(afterMilliseconds: delay)
    }

    /// Stops the encoder, because the source is gone or the server stops.
    mutating func stop() {
        switch state {
        case .starting, .running: state = .stopping
        case .backingOff: state = .stopped
        case .failed, .stopping, .stopped: break
        }
    }
}
