/// Limits for all peers together. The defaults suit a machine with 1 GB; 0 always means no limit.
public struct ServerLimits: Sendable, Codable, Hashable {
    /// Number of connections of all kinds.
    public var connections = 10_000
    /// Number of connections from one address. The machine's own address is not counted, because
    /// everything that runs on it has the same one.
    public var connectionsPerAddress = 1_000
    /// Number of streams that are published at once.
    public var publishers = 500
    /// Number of RTMP and HTTP-FLV players together.
    public var players = 10_000
    /// Number of streams that HLS keeps, including those that have ended and can still be fetched.
    public var streams = 1_000
    /// Bytes of messages that have begun and not ended, over all connections.
    public var unfinishedBytes = 64 << 20
    /// Bytes of all caches for joining players, which share them equally.
    public var gopCacheBytes = 192 << 20
    /// Bytes of all HLS segments, which the streams share equally.
    public var hlsBytes = 384 << 20

    /// Bytes of one message before a stream is published; commands are short.
    static let commandBytes = 64 << 10
    /// Bytes of metadata and of a codec's configuration, which each joining player gets.
    static let headerBytes = 256 << 10
    /// Bytes of unfinished messages that a connection may hold if all unfinished messages together
    /// exceed the limit; a connection that holds more is cut.
    static let patience = 256 << 10

    public init() {}

    /// No limits, for a server that knows all its peers, such as that of a load test.
    public static var none: ServerLimits {
        var limits = ServerLimits()
        limits.connections = 0
        limits.connectionsPerAddress = 0
        limits.publishers = 0
        limits.players = 0
        limits.streams = 0
        limits.unfinishedBytes = 0
        limits.gopCacheBytes = 0
        limits.hlsBytes = 0
        return limits
    }

    /// Share of each of `count` in `total`, at least `least` and at most `most`.
    static func share(_ total: Int, among count: Int, least: Int, most: Int) -> Int {
        total > 0 ? min(most, max(least, total / max(1, count))) : most
    }
}

/// Use of one resource that has a limit.
public struct LimitUsage: Sendable, Codable, Hashable {
    public var name: String
    public var used: Int
    /// This is the limit; 0 means that there is none.
    public var limit: Int
}
