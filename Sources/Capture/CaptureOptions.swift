/// What to look at, and the limits of what is kept.
public struct CaptureOptions: Sendable {
    /// All counts and delays are confined to this half-open span, ns since 1970. A message counts
    /// where its last byte was captured, bytes where their packet was.
    public var window: Range<Int64>?
    /// Server ports; empty = connections on any port.
    public var serverPorts: Set<UInt16> = []
    /// Those of them that are HTTP caches' before another server, whose answers are told apart.
    public var edgePorts: Set<UInt16> = []
    /// The client ports whose downstream is dissected; nil = all. The rest is counted by headers,
    /// and still attributed to its stream by its play request.
    public var dissectedClientPorts: Set<UInt16>?
    /// Subscribers of a stream, in the order of their play requests, that are dissected besides.
    public var dissectedSubscribersPerStream = Int.max
    /// Clients whose RTMP flashVer or HTTP User-Agent contains this are always dissected, and
    /// their stamped frames reported one by one: probes name themselves so. Relay delays are then
    /// theirs alone.
    public var frameAgent: String?
    /// Client ports whose stamped frames are reported one by one.
    public var frameClientPorts: Set<UInt16> = []
    /// Frames reported one by one at most, over all ports.
    public var frameLimit = 200_000
    /// Stamped frames that come in and are reported one by one at most, over all streams; 0 = none.
    /// They tell how long an encoder takes that publishes back into the server.
    public var ingressFrameLimit = 0
    /// Connections followed at once; more are only counted.
    public var flowLimit = 65_536
    public var streamLimit = 512
    /// Whose HTTP responses are whose, where no captured playlist lists them; the first that matches
    /// counts, 1,024 at most.
    public var httpPatterns: [HTTPPathPattern] = []
    /// Subscribers kept in the report, over all streams.
    public var subscriberLimit = 65_536
    /// Messages of a stream that a relayed one may match, the latest ones.
    public var ingressMessageLimit = 20_000
    /// Bytes held for reassembly and dissection, over all connections.
    public var retainedBytesLimit = 256 << 20

    public init() {}
}
