import Media
public import Statistics

/// Report on what the publisher sent of one stream since its start, and within the steady window if
/// one was set.
public struct PublishedStreamReport: Codable, Sendable {
    public var streamID: UInt32
    public var url: String
    public var isConnected = false
    public var framesSent = 0
    /// Number of video frames that were planned but not sent, because there was no connection or
    /// the queue was full.
    public var framesNotSent = 0
    /// Number of those frames that were due after the connection had broken and before the stream
    /// continued.
    public var framesWhileAway = 0
    /// Number of frames that were not sent because of a gap that the specification asked for, until
    /// the next key frame after it; nil without such a gap.
    public var framesInGap: Int?
    /// Number of those frames with an intended time in the steady window.
    public var windowFramesInGap: Int?
    /// Numbers of the first and the last of them; the frames in between were not sent, either.
    public var windowFirstFrameInGap: UInt64?
    public var windowLastFrameInGap: UInt64?
    public var payloadBytes = 0
    public var reconnects = 0
    public var failure: String?

    /// Number of video frames with an intended time in the steady window, sent or not.
    public var windowFrames = 0
    public var windowFirstFrame: UInt64?
    public var windowLastFrame: UInt64?
    /// Intended times of those two frames on CLOCK_MONOTONIC.
    public var windowFirstIntendedNanoseconds: Int64?
    public var windowLastIntendedNanoseconds: Int64?
    /// Bytes of audio and video payload in the window, by intended time.
    public var windowPayloadBytes = 0
    public var windowAudioFrames = 0

    init(_ spec: PublishSpec) {
        streamID = spec.streamID
        url = spec.url
    }

    /// Counts a frame that was due.
    /// - Parameters:
    ///   - number: Number of the frame, if it is a video frame.
    ///   - sentBytes: Length of the payload that was sent; nil if the frame was not sent.
    ///   - isInWindow: Whether the intended time lies in the steady window.
    mutating func count(
        _ kind: SourceFrame.Kind, number: UInt64, intended: Int64, sentBytes: Int?, isInWindow: Bool
    ) {
        payloadBytes += sentBytes ?? 0
        if kind == .video {
            if sentBytes == nil { framesNotSent += 1 } else { framesSent += 1 }
        }
        guard isInWindow else { return }
        windowPayloadBytes += sentBytes ?? 0
        guard kind == .video else {
            windowAudioFrames += 1
            return
        }
        windowFrames += 1
        if windowFirstFrame == nil {
            windowFirstFrame = number
            windowFirstIntendedNanoseconds = intended
        }
        windowLastFrame = number
        windowLastIntendedNanoseconds = intended
    }
}

public struct PublisherReport: Codable, Sendable {
    public var streams: [PublishedStreamReport]
    /// Time from a frame's intended time until it was handed to the socket, in whole microseconds,
    /// since the last report.
    public var lateness: DelayHistogram
    /// Lateness within the steady window alone.
    public var windowLateness: DelayHistogram
}
