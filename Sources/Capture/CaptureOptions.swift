public import SimulationKernel

/// Options of an analysis, and the limits of what it keeps.
public struct CaptureOptions: Sendable {
    /// Window, in ns since 1970, to which all counts and delays are confined. A message counts if
    /// its last byte was captured in the window, bytes count if their packet was.
    public var window: Window?
    /// Server ports; if empty, connections on any port are analysed.
    public var serverPorts: Set<UInt16> = []
    /// Those server ports that belong to HTTP caches in front of another server; their responses
    /// are counted separately.
    public var edgePorts: Set<UInt16> = []
    /// Client ports with a downstream that is dissected; nil = all. The other connections are
    /// counted by their headers, and still attributed to their stream by the play request.
    public var dissectedClientPorts: Set<UInt16>?
    /// Number of subscribers of a stream, in the order of their play requests, that are dissected
    /// in addition.
    public var dissectedSubscribersPerStream = Int.max
    /// Text that marks probes: clients with this text in their RTMP flashVer or HTTP User-Agent are
    /// always dissected, and their stamped frames are reported one by one. Relay delays are then
    /// those of these clients alone.
    public var frameAgent: String?
    /// Client ports for which stamped frames are reported one by one.
    public var frameClientPorts: Set<UInt16> = []
    /// Largest number of frames reported one by one, over all ports.
    public var frameLimit = 200_000
    /// Largest number of incoming stamped frames reported one by one, over all streams; 0 = none.
    /// These frames show the delay of an encoder that publishes back into the server.
    public var ingressFrameLimit = 0
    /// Whether the capture cannot hold a packet twice, so that copies need not be looked for. On
    /// the loopback interface it cannot.
    public var seesPacketsOnce = false
    /// Largest number of connections followed at once; further ones are only counted.
    public var flowLimit = 65_536
    public var streamLimit = 512
    /// Patterns that attribute HTTP responses which no captured playlist lists. The first pattern
    /// that matches counts; there may be 1,024 at most.
    public var httpPatterns: [HTTPPathPattern] = []
    /// Largest number of subscribers kept in the report, over all streams.
    public var subscriberLimit = 65_536
    /// Number of a stream's latest messages that a relayed message may match.
    public var ingressMessageLimit = 20_000
    /// Largest number of bytes held for reassembly and dissection, over all connections.
    public var retainedBytesLimit = 256 << 20

    public init() {}
}
