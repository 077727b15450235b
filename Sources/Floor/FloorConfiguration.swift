public import Media

/// One stream that the floor sender sends to players.
///
/// The frames are those of a publisher with the same source: frame `n` is due at
/// `start + phaseNanoseconds + dts(n)` and carries that time, so probes count the frames of the
/// floor sender against the frames of the publisher.
public struct FloorStream: Codable, Sendable, Hashable {
    /// Stream key that players ask for.
    public var name: String
    /// Number of the stream in the frame stamps.
    public var streamID: UInt32
    public var source: SyntheticSpec
    /// Time by which all frames are later than the shared start time says, 0 or more.
    public var phaseNanoseconds: Int64
    /// Frames of the first group of pictures; nil = as many as in the others.
    public var firstGroupFrames: Int?

    public init(
        name: String, streamID: UInt32, source: SyntheticSpec, phaseNanoseconds: Int64 = 0,
        firstGroupFrames: Int? = nil
    ) {
        self.name = name
        self.streamID = streamID
        self.source = source
        self.phaseNanoseconds = phaseNanoseconds
        self.firstGroupFrames = firstGroupFrames
    }
}

/// Settings of a floor sender.
public struct FloorConfiguration: Codable, Sendable, Hashable {
    /// IPv4 address on which the floor sender listens.
    public var host = "127.0.0.1"
    /// TCP port; 0 = a free one.
    public var port = 0
    /// The streams. A player that asks for another name gets the first stream.
    public var streams: [FloorStream]
    /// Time between two sends to a player in milliseconds; 0 = one send for each video frame, with
    /// the audio since the frame before.
    public var flushIntervalMilliseconds = 0
    /// Size in bytes of the chunks that are sent.
    public var chunkSize = 65536
    /// Bytes that may wait for one player. What comes after that is dropped up to a key frame.
    public var queueByteLimit = 4 << 20
    /// Maximum number of connections; further ones are closed at once and counted.
    public var connectionLimit = 20_000
    /// TCP congestion control, such as `cubic`; nil = the system's choice.
    public var congestionControl: String?

    public init(streams: [FloorStream]) { self.streams = streams }
}

/// What a floor sender has done since its start.
public struct FloorStatus: Codable, Sendable, Hashable {
    /// Connections that are open now.
    public var connections = 0
    /// Players among these connections.
    public var players = 0
    /// Publishers among these connections.
    public var publishers = 0
    /// Connections that were closed because of what the peer sent, because the peer did not read,
    /// or because of the limit of connections.
    public var refusals = 0
    /// Reason of the latest of these ends; nil if there was none.
    public var lastRefusal: String?
    /// Bytes that were read from all peers.
    public var receivedBytes = 0
    /// Bytes of media that sockets have taken.
    public var sentBytes = 0
    /// Flushes that were handed to a socket by one call of `send`, over all players.
    public var sends = 0
    /// Video frames that were dropped for players that did not read, over all players.
    public var framesDropped = 0
    /// Flushes that were dropped, whole or in part, over all players. They hold the dropped frames
    /// and audio.
    public var flushesDropped = 0
    /// Largest lateness of a flush against its schedule.
    public var worstLatenessNanoseconds: Int64 = 0
    /// Reason why a stream ended; nil while all streams go on.
    public var fault: String?

    public init() {}
}

/// Reason why a floor sender cannot begin.
public struct FloorError: Error, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}
