public import Statistics

/// One frame that a probe received in the steady window.
public struct ProbeFrame: Codable, Sendable, Hashable {
    public var frameNumber: UInt64
    /// CLOCK_MONOTONIC.
    public var intendedNanoseconds: Int64
    public var latenessMicroseconds: UInt32
    public var arrivalNanoseconds: Int64
}

/// One probe at the end.
public struct ProbeViewerReport: Codable, Sendable {
    public var index: Int
    public var localPort: Int
    public var streamID: UInt32?
    /// From the first connection attempt to the first video frame (audio where there is none).
    public var firstFrameNanoseconds: Int64?
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
    /// By `ViewerSpec.stream` and rendition, corrected, since the last report.
    public var delay: [String: DelayHistogram]
    public var viewers: [ProbeViewerReport]
}
