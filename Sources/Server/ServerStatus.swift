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
        /// nil where nothing is packaged.
        public var hls: HLS?
    }

    public var version: String
    public var streams: [Stream]
    /// One entry for each source that has encoders.
    public var ladders: [LadderStatus] = []
}
