/// What the status API shows.
public struct ServerStatus: Sendable, Codable, Hashable {
    public struct Stream: Sendable, Codable, Hashable {
        /// `<app>/<stream>`
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
        /// Media messages left out: on another message stream than publish's, or too long to be kept.
        public var leftOutMessages = 0
        /// nil where nothing is packaged.
        public var hls: HLS?
    }

    /// One thing that has a limit.
    public struct Usage: Sendable, Codable, Hashable {
        public var name: String
        public var used: Int
        /// 0 = none.
        public var limit: Int
    }

    public var version: String
    public var streams: [Stream]
    /// One entry for each source that has encoders.
    public var ladders: [LadderStatus] = []
    public var usage: [Usage] = []
    /// The same over all connections, those included that publish nothing.
    public var leftOutMessages = 0
    /// What was refused since the start, by the limit that bit.
    public var refused: [String: Int] = [:]
}

extension ServerStatus {
    /// Of a server that tells no more of its streams than this.
    ///
    /// - Parameter videoFrames: of each stream that is published, by `<app>/<stream>`.
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
