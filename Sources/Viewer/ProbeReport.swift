public import Statistics

/// One frame that a probe received in the steady window.
public struct ProbeFrame: Codable, Sendable, Hashable {
    public var frameNumber: UInt64
    /// Time for which the frame was planned, on CLOCK_MONOTONIC.
    public var intendedNanoseconds: Int64
    public var latenessMicroseconds: UInt32
    public var arrivalNanoseconds: Int64
}

/// A frame is encoded as a list of four numbers, because there are many frames.
extension ProbeFrame {
    public init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        frameNumber = try list.decode(UInt64.self)
        intendedNanoseconds = try list.decode(Int64.self)
        latenessMicroseconds = try list.decode(UInt32.self)
        arrivalNanoseconds = try list.decode(Int64.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(frameNumber)
        try list.encode(intendedNanoseconds)
        try list.encode(latenessMicroseconds)
        try list.encode(arrivalNanoseconds)
    }
}

/// Sessions in which one stream was published to a sink.
public struct PushedStreamCounts: Codable, Sendable, Hashable {
    /// Number of sessions; each one after the first is a reconnect.
    public var sessions = 0
    /// Number of sessions that the peer ended with FCUnpublish, deleteStream or closeStream.
    public var orderlyEnds = 0
    /// Number of sessions whose connection ended without such a command.
    public var cutOffs = 0
    /// Number of sessions that were still open when the stream came on another connection.
    public var replaced = 0

    public init() {}

    /// Number of sessions after the first.
    public var reconnects: Int { max(0, sessions - 1) }
}

/// Final report of one probe, or of one stream at a sink.
public struct ProbeViewerReport: Codable, Sendable {
    public var index: Int
    public var localPort: Int
    public var streamID: UInt32?
    /// Time of the connection attempt on CLOCK_MONOTONIC.
    public var askedAtNanoseconds: Int64 = 0
    /// Time from the connection attempt to the first audio or video message, headers included.
    public var firstMediaNanoseconds: Int64?
    /// Time from the connection attempt to the first audio or video frame.
    public var firstFrameNanoseconds: Int64?
    /// Time on CLOCK_MONOTONIC at which the probe left or was cut off; nil = it stayed to the end.
    public var endedAtNanoseconds: Int64?
    /// The first frame of the window that this probe should receive. It follows the last frame that
    /// the probe received from before the window (or from before its play request); without such a
    /// frame it is the first that came. nil if the probe never saw a stamp.
    public var firstDueFrame: UInt64?
    /// Number of frames that the publisher had sent before this probe asked to play: the GOP cache.
    public var joinBurstFrames = 0
    /// Number of stamped frames of the steady window, each counted once.
    public var windowFrames = 0
    /// Number of frames that never came, between the first and the last frame number of the window.
    public var missingFrames = 0
    public var duplicateFrames = 0
    public var firstWindowFrame: UInt64?
    public var lastWindowFrame: UInt64?
    public var window = ViewerCounters()
    public var total = ViewerCounters()
    /// Delay from the intended time to the arrival.
    public var delay = DelayHistogram()
    /// Delay from the actual sending to the arrival.
    public var uncorrectedDelay = DelayHistogram()
    public var startupNanoseconds: Int64?
    public var stallCount = 0
    public var stallNanoseconds: Int64 = 0
    public var playedNanoseconds: Int64 = 0
    /// Number of stalls that the link's loss model caused, and their time; nil without a link.
    public var modelledStalls: Int?
    public var modelledStallNanoseconds: Int64?
    /// Frames kept one by one, at most `ProbePool.frameLimit` in the process.
    public var frames: [ProbeFrame] = []
    public var failure: String?
    /// Sessions of a stream at a sink; nil for a probe that plays.
    public var pushed: PushedStreamCounts?
}

/// Report on all probes of a process: the interval's histogram per stream, or the final report with
/// the figures of each probe.
public struct ProbeReport: Codable, Sendable {
    public var playing: Int
    public var failed: Int
    /// Lateness of the loop's own timer since the last report.
    public var lag: DelayHistogram
    /// Lateness within the steady window alone, since the start.
    public var windowLag = DelayHistogram()
    /// Corrected delays since the last report, by `ViewerSpec.delayKey`.
    public var delay: [String: DelayHistogram]
    public var viewers: [ProbeViewerReport]
}
