public import Statistics

/// Counts of what one viewer received; the viewer is a load viewer or a probe.
public struct ViewerCounters: Codable, Sendable, Hashable {
    /// Bytes of TCP payload.
    public var receivedBytes = 0
    /// Audio and video message payload.
    public var payloadBytes = 0
    public var videoMessages = 0
    public var audioMessages = 0

    public init() {}

    static func - (a: Self, b: Self) -> Self {
        var difference = Self()
        difference.receivedBytes = a.receivedBytes - b.receivedBytes
        difference.payloadBytes = a.payloadBytes - b.payloadBytes
        difference.videoMessages = a.videoMessages - b.videoMessages
        difference.audioMessages = a.audioMessages - b.audioMessages
        return difference
    }
}

/// Final report of one load viewer.
public struct LoadViewerReport: Codable, Sendable, Hashable {
    public var index: Int
    /// Local port of the connection; 0 if the viewer never connected.
    public var localPort: Int
    /// Time of the connection attempt on CLOCK_MONOTONIC; nil if there was none.
    public var askedAtNanoseconds: Int64?
    /// Time from the connection attempt to the first audio or video message, headers included.
    public var firstMediaNanoseconds: Int64?
    /// Time on CLOCK_MONOTONIC at which the viewer left or was cut off; nil = it stayed to the end.
    public var endedAtNanoseconds: Int64?
    /// Bytes and messages within the steady window.
    public var window: ViewerCounters
    public var total: ViewerCounters
    /// Reason of an unintended end; nil if the viewer ended as intended.
    public var failure: String?
    /// Number of stalls that the link's loss model caused, and their time; nil without a link.
    public var modelledStalls: Int?
    public var modelledStallNanoseconds: Int64?
}

/// Report on all load viewers of a process since the last report, or the final report with the
/// counts of each viewer.
public struct LoadReport: Codable, Sendable {
    public var connected: Int
    public var playing: Int
    public var failed: Int
    public var receivedBytes: Int
    /// Lateness of the loop against its own tick, which shows the generator's health. Waiting for
    /// bytes is not lateness.
    public var lag: DelayHistogram
    /// Lateness within the steady window alone, since the start.
    public var windowLag = DelayHistogram()
    public var viewers: [LoadViewerReport]
}
