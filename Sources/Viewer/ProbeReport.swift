public import Statistics

/// One frame that a probe received in the steady window.
public struct ProbeFrame: Codable, Sendable, Hashable {
    public var frameNumber: UInt64
    /// CLOCK_MONOTONIC.
    public var intendedNanoseconds: Int64
    public var latenessMicroseconds: UInt32
    public var arrivalNanoseconds: Int64
}

/// In a list of four numbers: there are many.
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

/// One probe at the end.
public struct ProbeViewerReport: Codable, Sendable {
    public var index: Int
    public var localPort: Int
    public var streamID: UInt32?
    /// The connection attempt, CLOCK_MONOTONIC.
    public var askedAtNanoseconds: Int64 = 0
    /// From the connection attempt to the first audio or video message, headers included.
    public var firstMediaNanoseconds: Int64?
    /// From the connection attempt to the first audio or video frame.
    public var firstFrameNanoseconds: Int64?
    /// When it left or was cut off, CLOCK_MONOTONIC; nil = it was there at the end.
    public var endedAtNanoseconds: Int64?
    /// The first frame of the window that was due to this probe: the one after the last that it
    /// got from before the window (or before it asked), else the first that came. nil where it
    /// never saw a stamp.
    public var firstDueFrame: UInt64?
    /// Frames sent by the publisher before this probe asked to play: the GOP cache.
    public var joinBurstFrames = 0
    /// Stamped frames of the steady window, each counted once.
    public var windowFrames = 0
    /// From the first to the last frame number of the window, those that never came.
    public var missingFrames = 0
    public var duplicateFrames = 0
    public var firstWindowFrame: UInt64?
    public var lastWindowFrame: UInt64?
    public var window = ViewerCounters()
    public var total = ViewerCounters()
    /// Intended time → arrival.
    public var delay = DelayHistogram()
    /// Actual send → arrival.
    public var uncorrectedDelay = DelayHistogram()
    public var startupNanoseconds: Int64?
    public var stallCount = 0
    public var stallNanoseconds: Int64 = 0
    public var playedNanoseconds: Int64 = 0
    /// Stalls by which the link's loss model shows, and their time; nil without a link.
    public var modelledStalls: Int?
    public var modelledStallNanoseconds: Int64?
    /// At most `ProbePool.frameLimit` of the process.
    public var frames: [ProbeFrame] = []
    public var failure: String?
}

/// All probes of a process: the interval's histogram per stream, or (final) each probe's own.
public struct ProbeReport: Codable, Sendable {
    public var playing: Int
    public var failed: Int
    /// How late the loop's own timer woke since the last report.
    public var lag: DelayHistogram
    /// The same over the steady window alone, since the start.
    public var windowLag = DelayHistogram()
    /// By `ViewerSpec.delayKey`, corrected, since the last report.
    public var delay: [String: DelayHistogram]
    public var viewers: [ProbeViewerReport]
}
