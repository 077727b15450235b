import struct HTTPWire.HTTPURL
public import Sockets

/// Error for settings with which an edge cannot run.
public struct EdgeConfigurationError: Error, Sendable, CustomStringConvertible {
    public var description: String
}

/// Settings of a pull-through HLS cache: its address, its origin and its limits.
public struct EdgeConfiguration: Sendable, Codable, Hashable {
    /// The way from the edge to its origin.
    public struct WAN: Sendable, Codable, Hashable {
        /// Rate of the bytes from the origin, all connections together, headers of packets
        /// included; nil = no limit.
        public var bitsPerSecond: Int?
        /// One-way delay: a request and its response each take this long, and the handshake of a
        /// new connection takes twice this long before them.
        public var delayNanoseconds: Int64

        public init(bitsPerSecond: Int? = nil, delayNanoseconds: Int64 = 0) {
            self.bitsPerSecond = bitsPerSecond
            self.delayNanoseconds = delayNanoseconds
        }
    }

    /// Address on which the edge listens.
    public var host = "127.0.0.1"
    /// Port; 0 = any free port.
    public var port = 8090
    /// Certificate and key; clients then connect by https.
    public var tls: TLSFiles?
    /// Authorities that the edge trusts if the origin speaks https.
    public var trust = TLSTrust()
    /// Origin, `http://host[:port]` or `https://host[:port]`; the edge requests the same paths from
    /// it that clients request.
    public var origin: String
    /// Size of the cache in bytes, 1 MiB to 64 GiB.
    public var cacheBytes = 256 << 20
    /// Largest object in bytes, 1 KiB or more; a larger one, or one larger than the cache, is
    /// answered with 502.
    public var objectBytes = 64 << 20
    /// Largest number of connections to the origin, 1…4096. A blocking reload occupies one.
    public var originConnections = 128
    /// Largest number of fetches that wait for a connection, 0…1,000,000; beyond it the response is
    /// 503.
    public var queuedFetches = 4096
    /// Seconds without a byte from the origin until the response is 504, 1…600. A blocking playlist
    /// reload may take three target durations.
    public var originTimeoutSeconds = 30.0
    /// Longest duration of a fetch in seconds, 1…86,400. After that the response is 504, or is
    /// aborted if it has begun.
    public var fetchSeconds = 120.0
    /// Seconds after which a fetch that brings less than 1 KiB a second is given up if other
    /// fetches wait for a connection, 1…600. It does not apply to blocking reloads, which wait for
    /// a new version, nor to fetches over a WAN.
    public var slowFetchSeconds = 5.0
    /// Seconds without a request after which a client's connection is closed, 1…86,400.
    public var keepAliveSeconds = 75.0
    /// Seconds after which a client that reads nothing of its response is disconnected, 1…86,400.
    public var stalledClientSeconds = 30.0
    /// Limits for all clients together; an edge applies only the limits on connections.
    public var limits = ServerLimits()
    /// Bearer token that other machines need to read the status; nil = only this machine can read
    /// it.
    public var apiToken: String?
    /// File that holds the token.
    public var apiTokenFile: String?
    /// Whether responses are cached; if not, the edge only passes them on.
    public var keeps = true
    /// WAN to the origin; nil = no delay and no limit of the rate.
    public var wan: WAN?
    /// TCP congestion control of accepted connections; nil = the system's default.
    public var congestionControl: String?

    public init(origin: String) { self.origin = origin }

    /// Fault of the settings and how to mend it; nil if there is none.
    public var problem: String? {
        if let fault = HTTPURL.originFault(of: origin) { return fault }
        if !(1 << 20...64 << 30).contains(cacheBytes) {
            return "the cache is \(cacheBytes) bytes; give 1MiB to 64GiB"
        }
        if objectBytes < 1 << 10 {
            return "the longest object is \(objectBytes) bytes; give 1 KiB at least"
        }
        if !(1...4096).contains(originConnections) {
            return "\(originConnections) connections to the origin; give 1 to 4096"
        }
        if !(0...1_000_000).contains(queuedFetches) {
            return "\(queuedFetches) waiting fetches; give 0 to 1,000,000"
        }
        if !(1...600).contains(originTimeoutSeconds) {
            return "the origin's time-out is \(originTimeoutSeconds) s; give 1 s to 600 s"
        }
        if !(1...86_400).contains(fetchSeconds) {
            return "the time-out of a whole fetch is \(fetchSeconds) s; give 1 s to 86,400 s"
        }
        if !(1...600).contains(slowFetchSeconds) {
            return "slow fetches make room after \(slowFetchSeconds) s; give 1 s to 600 s"
        }
        for seconds in [keepAliveSeconds, stalledClientSeconds]
        where !(1...86_400).contains(seconds) {
            return "a client's time-out is \(seconds) s; give 1 s to 86,400 s"
        }
        if let problem = APIGate.problem(token: apiToken, file: apiTokenFile) { return problem }
        guard let wan else { return nil }
        if let rate = wan.bitsPerSecond, !(8_000...100_000_000_000).contains(rate) {
            return "the WAN's rate is \(rate) bit/s; give 8kbps to 100Gbps"
        }
        if !(0...10_000_000_000).contains(wan.delayNanoseconds) {
            return "the WAN's delay is \(wan.delayNanoseconds) ns; give 0 to 10s"
        }
        return nil
    }

    /// Largest object that is accepted, in bytes.
    var objectLimit: Int { min(objectBytes, cacheBytes) }
}
