public import Sockets
import RTMP

/// Settings of the embedded stack's ingest, relay and limits.
public struct ServerConfiguration: Sendable, Codable, Hashable {
    /// Treatment of a second publisher of the same stream.
    public enum TakeoverPolicy: String, Sendable, Codable, CaseIterable {
        /// The newcomer is refused with NetStream.Publish.BadName.
        case reject
        /// The first publisher is cut and the newcomer continues the stream.
        case takeover
    }

    /// Treatment of a player of a stream that nobody publishes.
    public enum EarlyPlayPolicy: String, Sendable, Codable, CaseIterable {
        case wait
        case refuse
    }

    public var host = "127.0.0.1"
    /// RTMP port; 0 = any free port.
    public var rtmpPort = 1935
    /// HTTP port; nil = no HTTP-FLV and no status API.
    public var httpPort: Int? = 8080
    /// Port at which the API and `/metrics` are answered by an event loop of their own, and no
    /// longer at the HTTP ports; nil = at the HTTP ports, 0 = any free port.
    public var apiPort: Int?
    /// Address of that port; nil = `host`.
    public var apiHost: String?
    /// Port of RTMP over TLS; nil = none, 0 = any free port.
    public var rtmpsPort: Int?
    /// Port of HTTP over TLS; nil = none, 0 = any free port.
    public var httpsPort: Int?
    /// Certificate and key for TLS.
    public var tls: TLSFiles?
    /// Number of event loops, at least 1.
    public var threads = 1
    /// Threads that write to receivers; nil = the event loops write. With sender threads there is
    /// one event loop, and no TLS.
    public var senders: SenderModel?
    public var buffers = BufferModel.shared
    public var takeover = TakeoverPolicy.reject
    public var earlyPlay = EarlyPlayPolicy.wait
    /// Names that may be published: `name`, or `name:secret` if the publisher must also send
    /// `?key=secret`. Empty = any name.
    ///
    /// The name may have its application before it (`live/name`), and the secret may be hashed.
    public var streamKeys: [String] = []
    /// Further rules of access.
    public var access = AccessConfiguration()
    /// Groups of pictures kept for joining players, 0…8; 0 = players wait for a key frame.
    public var gopCache = 1
    public var gopCacheByteLimit = 16 << 20
    /// Bytes that may wait for one subscriber before its frames are dropped.
    public var queueByteLimit = 2 << 20
    /// Milliseconds for which the messages of a stream wait, to leave in one write; 0 = each
    /// message is sent at once, nil = as the load is (`FlushPolicy`): audio and data then wait for
    /// the next video frame, and video never waits.
    public var flushIntervalMilliseconds: Int?
    /// Chunk size of sent messages, 128…0xFFFFFF.
    public var chunkSize = 65536
    /// Milliseconds in which a publisher may come back and continue after its connection broke.
    public var publisherGraceMilliseconds = 5_000
    /// Milliseconds after which a connection that neither publishes nor plays is cut.
    public var setupTimeoutMilliseconds = 10_000
    /// Milliseconds after which a silent publisher is cut.
    public var publisherIdleMilliseconds = 30_000
    /// Milliseconds between pings to a player, which is cut if it answers nothing for three times
    /// as long.
    public var pingIntervalMilliseconds = 20_000
    /// Milliseconds for which a player's queue may stay full before it is cut.
    public var stalledSubscriberMilliseconds = 30_000
    /// Milliseconds for which an HTTP-FLV player may wait for a stream to begin. (RTMP players are
    /// pinged.)
    public var waitingPlayerMilliseconds = 600_000
    /// HLS settings; nil = no HLS.
    public var hls: HLSConfiguration?
    /// TCP congestion control of accepted connections; nil = the system's default.
    public var congestionControl: String?
    /// Limits for all peers together.
    public var limits = ServerLimits()
    /// Rules that push streams to other servers.
    public var pushes: [PushRule] = []
    /// Authorities that are trusted at rtmps targets.
    public var pushTrust = TLSTrust()
    /// Renditions that ffmpeg makes of published streams and publishes back.
    public var ladders: [LadderConfiguration] = []

    public init() {}

    /// Fault of the settings; nil if there is none. HLS has its own faults.
    public var problem: String? {
        for rule in streamKeys {
            if let problem = StreamKeys.problem(of: rule) { return problem }
        }
        if let problem = access.problem { return problem }
        if let problem = pushes.lazy.compactMap(\.problem).first { return problem }
        if !(128...0xFF_FFFF).contains(chunkSize) {
            return "the chunk size is \(chunkSize); it must be 128 to 16777215"
        }
        if apiHost != nil, apiPort == nil {
            return "the API has an address and no port; give --api-port beside --api-host"
        }
        if tls == nil, rtmpsPort != nil || httpsPort != nil {
            return
                "rtmps and https need a certificate; give --tls-certificate and --tls-key beside the ports"
        }
        if tls != nil, rtmpsPort == nil, httpsPort == nil {
            return "a certificate is given and nothing uses it; give --rtmps-port or --https-port"
        }
        if let senders {
            if threads != 1 {
                return
                    "sender threads (\(senders.rawValue)) have one event loop beside them; give 1 thread, not \(threads)"
            }
            if tls != nil || pushes.contains(where: \.url.isSecure) {
                return
                    "sender threads (\(senders.rawValue)) cannot write over TLS; give a number of threads, or leave rtmps and https out"
            }
        }
        return threads < 1 ? "there are \(threads) threads; give 1 at least" : nil
    }
}
