public import Sockets

/// How the embedded stack ingests, relays and protects itself.
public struct ServerConfiguration: Sendable, Codable, Hashable {
    /// What a second publisher of the same stream meets.
    public enum TakeoverPolicy: String, Sendable, Codable, CaseIterable {
        /// The newcomer is refused with NetStream.Publish.BadName.
        case reject
        /// The first publisher is cut and the newcomer goes on with the stream.
        case takeover
    }

    /// What a player meets where nobody publishes.
    public enum EarlyPlayPolicy: String, Sendable, Codable, CaseIterable {
        case wait
        case refuse
    }

    public var host = "127.0.0.1"
    /// 0 = any free port.
    public var rtmpPort = 1935
    /// nil = no HTTP-FLV and no status API.
    public var httpPort: Int? = 8080
    /// nil = no RTMP over TLS; 0 = any free port.
    public var rtmpsPort: Int?
    /// nil = no HTTP over TLS; 0 = any free port.
    public var httpsPort: Int?
    /// Who the server is where it speaks TLS.
    public var tls: TLSFiles?
    public var threads = 1
    public var takeover = TakeoverPolicy.reject
    public var earlyPlay = EarlyPlayPolicy.wait
    /// Names that may be published: `name`, or `name:secret` where the publisher must also give
    /// `?key=secret`. Empty = any name.
    ///
    /// The name may have its application before it (`live/name`), and the secret may be hashed.
    public var streamKeys: [String] = []
    /// Who may do what beyond that.
    public var access = AccessConfiguration()
    /// Groups of pictures kept for joining players, 0…8; 0 = players wait for a key frame.
    public var gopCache = 1
    public var gopCacheByteLimit = 16 << 20
    /// Bytes that may wait for one subscriber before its frames are dropped.
    public var queueByteLimit = 2 << 20
    /// Milliseconds for which audio and data wait for the next video frame, to leave with it in
    /// one write; 0 = each message goes out at once. Video never waits.
    public var flushIntervalMilliseconds = 0
    /// Chunk size of what is sent, 128…0xFFFFFF.
    public var chunkSize = 65536
    /// A publisher whose connection broke may come back within this time and go on.
    public var publisherGraceMilliseconds = 5_000
    /// A connection that neither publishes nor plays by then is cut.
    public var setupTimeoutMilliseconds = 10_000
    /// A publisher that sends nothing for so long is cut.
    public var publisherIdleMilliseconds = 30_000
    /// Players are pinged so often, and cut where they answer nothing for three times as long.
    public var pingIntervalMilliseconds = 20_000
    /// A player whose queue stays full for so long is cut.
    public var stalledSubscriberMilliseconds = 30_000
    /// An HTTP-FLV player that waits so long for a stream to begin is cut. (RTMP players are pinged.)
    public var waitingPlayerMilliseconds = 600_000
    /// nil = no HLS.
    public var hls: HLSConfiguration?
    /// TCP congestion control of accepted connections; nil = the system's default.
    public var congestionControl: String?
    /// What strangers may take.
    public var limits = ServerLimits()
    /// Renditions that ffmpeg makes of published streams and publishes back.
    public var ladders: [LadderConfiguration] = []

    public init() {}

    /// What is wrong with the settings, in words; nil if nothing is. HLS has its own.
    public var problem: String? {
        for rule in streamKeys {
            if let problem = StreamKeys.problem(of: rule) { return problem }
        }
        if let problem = access.problem { return problem }
        if !(128...0xFF_FFFF).contains(chunkSize) {
            return "the chunk size is \(chunkSize); it must be 128 to 16777215"
        }
        if tls == nil, rtmpsPort != nil || httpsPort != nil {
            return
                "rtmps and https need a certificate; give --tls-certificate and --tls-key beside the ports"
        }
        if tls != nil, rtmpsPort == nil, httpsPort == nil {
            return "a certificate is given and nothing uses it; give --rtmps-port or --https-port"
        }
        return threads < 1 ? "there are \(threads) threads; give 1 at least" : nil
    }
}

/// Settings with which the server cannot run.
public struct ServerConfigurationError: Error, Sendable, CustomStringConvertible {
    public var description: String
}
