import Processes

/// The life of one supervised encoder: that of any supervised program, with what ffmpeg reports and
/// with an end that the server asks for.
struct EncoderStateMachine: Sendable {
    enum Next: Sendable, Hashable {
        case restart(afterMilliseconds: Int)
        /// The encoder failed for good, or it was told to end.
        case finish
    }

    /// How far the encoder is on its way to an end that it was told to come to.
    private enum Ending {
        case stopping, stopped
    }

    private var supervisor: SupervisorStateMachine
    private var ending: Ending?
    private(set) var pid: Int32?
    private(set) var progress = EncoderProgress()
    /// Milliseconds of the caller's clock.
    private var lastFrameAt = 0

    init(policy: RestartPolicy) { supervisor = SupervisorStateMachine(policy: policy) }

    var state: LadderStatus.State {
        switch ending {
        case .stopping: return .stopping
        case .stopped: return .stopped
        case nil: break
        }
        return switch supervisor.state {
        case .starting: .starting
        case .running: .running
        case .backingOff: .backingOff
        case .failed: .failed
        }
    }

    var restarts: Int { supervisor.restarts }
    var lastError: String? { supervisor.lastFailure }

    mutating func launched(pid: Int32, atMilliseconds now: Int) {
        self.pid = pid
        supervisor.launched(atMilliseconds: now)
        lastFrameAt = now
        progress = EncoderProgress()
    }

    /// Processes a line of the encoder's standard output.
    mutating func reported(_ line: String, atMilliseconds now: Int) {
        let before = progress.frames ?? 0
        guard progress.receive(line), let frames = progress.frames, frames > before else { return }
        lastFrameAt = now
        supervisor.becameReady()
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
        pid = nil
        guard ending == nil else {
            ending = .stopped
            return .finish
        }
        let next = supervisor.ended(
            reason, isPermanent: isPermanent, atMilliseconds: now, jitter: jitter)
        return switch next {
        case .restart(let delay): .restart(afterMilliseconds: delay)
        case .giveUp: .finish
        }
    }

    /// Stops the encoder, because the source is gone or the server stops.
    mutating func stop() {
        guard ending == nil else { return }
        switch supervisor.state {
        case .starting, .running: ending = .stopping
        case .backingOff: ending = .stopped
        case .failed: break
        }
    }
}
