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
    /// Requests that flooded the server's API in the window; nil without a flood.
    public var apiFlood: APIFloodFigures?

    public init() {}

    /// Number of frames that were due and did not arrive; nil if no frame had a stamp.
    public var framesMissing: Int? {
        framesExpected.flatMap { expected in framesReceived.map { max(0, expected - $0) } }
    }
}

/// What became of the requests that flooded a server's API.
public struct APIFloodFigures: Codable, Sendable, Equatable {
    public var requests: Int
    /// Answers with a status of 200 to 299, and with another status.
    public var accepted: Int
    public var refused: Int
    /// Requests whose connection failed, or that had no answer within 5 s.
    public var unanswered: Int
    /// Requests that were due and not sent, because too many others waited for their answers.
    public var skipped: Int
    /// Time from the beginning of a request's connection until the server closed it after its
    /// answer; nil without an answer.
    public var timeP50Milliseconds: Double?
    public var timeP99Milliseconds: Double?

    public init(
        requests: Int, accepted: Int, refused: Int, unanswered: Int, skipped: Int,
        timeP50Milliseconds: Double?, timeP99Milliseconds: Double?
    ) {
        self.requests = requests
        self.accepted = accepted
        self.refused = refused
        self.unanswered = unanswered
        self.skipped = skipped
        self.timeP50Milliseconds = timeP50Milliseconds
        self.timeP99Milliseconds = timeP99Milliseconds
    }
}
