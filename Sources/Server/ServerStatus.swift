public import Statistics

/// Contents of the status API.
public struct ServerStatus: Sendable, Codable, Hashable {
    public struct Stream: Sendable, Codable, Hashable {
        /// Name of the stream, `<app>/<stream>`.
        public var name: String
        public var isPublished: Bool
        public var publisher: String?
        public var publishedSeconds: Double?
        public var receivedBytes: Int
        public var videoFrames: Int
        public var audioFrames: Int
        public var keyFrames: Int
        public var rtmpSubscribers: Int
        public var flvSubscribers: Int
        /// Frames not sent to slow subscribers.
        public var droppedFrames: Int
        public var gopCacheBytes: Int
        /// Media messages left out, because they came on another message stream than the
        /// publication's or were too long to be kept.
        public var leftOutMessages = 0
        /// HLS status; nil if nothing is packaged.
        public var hls: HLS?
    }

    public var version: String
    public var streams: [Stream]
    /// One entry for each source that has encoders.
    public var ladders: [LadderStatus] = []
    /// One entry for each stream and target to which the stream is pushed.
    public var pushes: [PushStatus] = []
    public var usage: [LimitUsage] = []
    /// Media messages left out over all connections, including those that publish nothing.
    public var leftOutMessages = 0
    /// Number of refusals since the start, by limit.
    public var refused: [String: Int] = [:]
    /// Number of media messages that publishers have sent and that are relayed; nil = unknown.
    public var relayedMessages: Int?
    /// Number of times that the payload of a message was copied; nil = unknown.
    public var payloadCopies: Int?
    /// Number of threads that write to receivers; nil if the event loops write.
    public var senderThreads: Int?
    /// Time of deliveries since the start, of one video message in 17; nil if none was measured.
    public var delays: DelaySplitFigures?
}

extension ServerStatus {
    /// Status of a server that reports only the names of its streams and their frames.
    ///
    /// - Parameter videoFrames: Video frames of each published stream, by `<app>/<stream>`.
    package init(version: String, videoFrames: [String: Int], ladders: [LadderStatus]) {
        self.init(
            version: version,
            streams: videoFrames.sorted { $0.key < $1.key }.map { name, frames in
                Stream(
                    name: name, isPublished: true, receivedBytes: 0, videoFrames: frames,
                    audioFrames: 0, keyFrames: 0, rtmpSubscribers: 0, flvSubscribers: 0,
                    droppedFrames: 0, gopCacheBytes: 0)
            }, ladders: ladders)
    }
}
