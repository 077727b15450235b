public import Statistics

/// What one viewer received, load viewer or probe.
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

/// One load viewer at the end.
public struct LoadViewerReport: Codable, Sendable, Hashable {
    public var index: Int
    /// 0 where it never connected.
    public var localPort: Int
    /// The connection attempt, CLOCK_MONOTONIC; nil where it never came to one.
    public var askedAtNanoseconds: Int64?
    /// From the connection attempt to the first audio or video message, headers included.
    public var firstMediaNanoseconds: Int64?
    /// When it left or was cut off, CLOCK_MONOTONIC; nil = it was there at the end.
    public var endedAtNanoseconds: Int64?
    /// Bytes and messages within the steady window.
    public var window: ViewerCounters
    public var total: ViewerCounters
    /// How it ended, where that was not as intended.
    public var failure: String?
    /// Stalls by which the link's loss model shows, and their time; nil without a link.
    public var modelledStalls: Int?
    public var modelledStallNanoseconds: Int64?
}

/// All load viewers of a process since the last report, or (final) with each viewer's own.
public struct LoadReport: Codable, Sendable {
    public var connected: Int
    public var playing: Int
    public var failed: Int
    public var receivedBytes: Int
    /// How late the loop came to its own tick: the generator's health. Waiting for bytes is no
    /// lag.
    public var lag: DelayHistogram
    /// The same over the steady window alone, since the start.
    public var windowLag = DelayHistogram()
    public var viewers: [LoadViewerReport]
}
