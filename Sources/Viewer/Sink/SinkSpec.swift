public import SimulationKernel

/// One stream that a sink expects.
public struct SinkSpec: Codable, Sendable, Hashable {
    /// Name of the protocol in results.
    public static let playProtocol = "rtmp-push"

    /// Number of the stream's report, unique in the run.
    public var index: Int
    /// Name under which the stream is published, `<app>/<stream>`.
    public var name: String
    /// Names of the stream and its rendition, for the results only.
    public var stream: String
    public var rendition: String
    /// Rate at which the sink reads the stream's connection; nil = as fast as it can.
    public var readRate: Bitrate?

    public init(
        index: Int, name: String, stream: String, rendition: String, readRate: Bitrate? = nil
    ) {
        self.index = index
        self.name = name
        self.stream = stream
        self.rendition = rendition
        self.readRate = readRate
    }
}

/// Settings of a sink.
public struct SinkOptions: Codable, Sendable, Hashable {
    /// Address on which the sink listens.
    public var host = "127.0.0.1"
    /// Port on which the sink listens; 0 = any free port.
    public var port = 0
    /// Whether the sink takes streams that no specification names.
    public var takesAny = false
    /// Rate at which connections of such streams are read; nil = as fast as the sink can.
    public var readRate: Bitrate?
    /// Largest number of connections at a time.
    public var connectionLimit = 20_000
    /// Largest number of streams over the whole run.
    public var streamLimit = 20_000
    /// Largest number of bytes that the unfinished messages of all connections may hold.
    public var unfinishedByteLimit = 256 << 20
    /// Milliseconds after which a connection that publishes nothing is closed.
    public var setupMilliseconds = 10_000

    public init() {}
}

/// Report of a sink: what happened since the last report, or the final report with the figures of
/// each stream.
public struct SinkReport: Codable, Sendable {
    /// The streams in the form in which probes report: the delays since the last report, and at the
    /// end one report for each stream, in the order of their numbers.
    public var probes: ProbeReport
    /// Names of the streams in the order of `probes.viewers`; empty before the end.
    public var names: [String] = []
    /// Number of open connections.
    public var connections = 0
    /// Number of streams until now.
    public var streams = 0
    /// Number of sessions after the first of each stream.
    public var reconnects = 0
    /// Payload of audio and video messages until now, in bytes.
    public var payloadBytes = 0
    /// Audio and video messages that belonged to no accepted stream.
    public var leftOutMessages = 0
    /// Number of connections and streams that were refused, by reason.
    public var refused: [String: Int] = [:]
}
