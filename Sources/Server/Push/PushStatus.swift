/// State of one stream on its way to one target, which is part of the status API.
public struct PushStatus: Sendable, Codable, Hashable {
    public enum State: String, Sendable, Codable, CaseIterable {
        /// The connection is being established, or the target has not accepted the stream yet.
        case connecting
        /// The target takes the stream.
        case live
        /// The connection ended; it will be established again.
        case waiting
        /// The stream is gone, or the target was removed.
        case ended
    }

    /// Name of the stream, `<app>/<stream>`.
    public var stream: String
    /// URL of the target without its query, which may hold a key.
    public var target: String
    public var state: State
    /// Time in seconds since the target accepted the stream; nil if it does not take the stream.
    public var liveSeconds: Double?
    /// Number of bytes handed to the socket or to a sender thread, over all connections.
    public var sentBytes: Int
    /// Number of frames not sent because the target took too little.
    public var droppedFrames: Int
    /// Number of times that the connection was established again or tried again.
    public var reconnects: Int
    /// Reason why the last connection ended; nil if none has ended.
    public var lastError: String?
}
