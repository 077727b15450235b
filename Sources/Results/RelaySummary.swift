/// What arrived at the targets to which the server pushed the streams of a run.
public struct RelaySummary: Codable, Sendable, Equatable {
    /// Number of targets of each stream.
    public var targets = 0
    /// Number of planned sessions, one for each stream and target.
    public var sessionsPlanned = 0
    /// Number of sessions in which audio or video arrived.
    public var sessionsServed = 0
    /// Frames of the window that were due at the targets, and those that arrived; nil if no frame
    /// had a stamp.
    public var framesExpected: Int?
    public var framesReceived: Int?
    /// Frames that arrived more than once.
    public var framesDuplicate = 0
    /// Delay from the intended time to the arrival at a target, over all sessions; nil if no frame
    /// arrived.
    public var delayP50Milliseconds: Double?
    public var delayP99Milliseconds: Double?
    /// Delay from the time at which the frame was really sent; nil if no frame arrived.
    public var delayUncorrectedP50Milliseconds: Double?
    public var delayUncorrectedP99Milliseconds: Double?
    /// Number of sessions after the first of a stream at a target.
    public var reconnects = 0
    /// Number of sessions that ended with FCUnpublish, deleteStream or closeStream.
    public var orderlyEnds = 0
    /// Number of sessions whose connection ended without such a command.
    public var cutOffs = 0
    /// Payload of audio and video that arrived in the window, in bytes.
    public var payloadBytes = 0

    public init() {}

    /// Number of frames that were due and did not arrive; nil if no frame had a stamp.
    public var framesMissing: Int? {
        framesExpected.flatMap { expected in framesReceived.map { max(0, expected - $0) } }
    }
}
