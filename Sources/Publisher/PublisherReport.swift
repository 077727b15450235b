public import Statistics

/// This reports what the publisher sent of one stream since its start, and in the steady window
/// where one was set.
public struct PublishedStreamReport: Codable, Sendable {
    public var streamID: UInt32
    public var url: String
    public var isConnected = false
    public var framesSent = 0
    /// Video frames that the schedule meant to send but that found no connection or a full queue.
    public var framesNotSent = 0
    /// Of those, the ones due after the connection had broken and before the stream went on.
    public var framesWhileAway = 0
    public var payloadBytes = 0
    public var reconnects = 0
    public var failure: String?

    /// Video frames whose intended time lies in the steady window, sent or not.
    public var windowFrames = 0
    public var windowFirstFrame: UInt64?
    public var windowLastFrame: UInt64?
    /// Intended times of those two, CLOCK_MONOTONIC.
    public var windowFirstIntendedNanoseconds: Int64?
    public var windowLastIntendedNanoseconds: Int64?
    /// Audio and video payload of the window, by intended time.
    public var windowPayloadBytes = 0
    public var windowAudioFrames = 0

    init(_ spec: PublishSpec) {
        streamID = spec.streamID
        url = spec.url
    }
}

public struct PublisherReport: Codable, Sendable {
    public var streams: [PublishedStreamReport]
    /// How much later than intended frames were handed to the socket, since the last report.
    public var lateness: DelayHistogram
    /// The same over the steady window alone.
    public var windowLateness: DelayHistogram
}
