/// Protocol by which a viewer fetches its stream.
public enum ViewerProtocol: String, Codable, Sendable, CaseIterable {
    case rtmp
    case httpFLV = "http-flv"
}

/// One simulated viewer.
public struct ViewerSpec: Codable, Sendable, Hashable {
    /// Name of probes in flashVer and User-Agent, by which a capture recognizes them and keeps
    /// their frames.
    public static let probeAgent = "millrace-probe"

    /// Number of the viewer, unique in the run.
    public var index: Int
    public var transport: ViewerProtocol
    /// URL of the stream: `rtmp://host:port/app/stream` or `http://host:port/app/stream.flv`.
    public var url: String
    /// Name of the stream, for the results only.
    public var stream: String
    public var rendition: String
    /// Time at which the viewer joins, counted from the start of the run.
    public var joinNanoseconds: Int64
    /// Time at which the viewer leaves, counted in the same way; nil = at the end.
    public var leaveNanoseconds: Int64?
    /// The viewer's link, one of the pool's; nil = the machine's own network.
    public var link: LinkAssignment?
    /// The IPv4 address from which the viewer connects; nil = the system's choice.
    public var localAddress: String?
    /// Amount of media that the play-out buffer of a probe holds before it starts.
    public var playoutBufferMilliseconds: Int
    /// Read mode of a load viewer.
    public var mode: LoadReadMode
    /// Recording of a probe that writes its stream to a file and leaves once the file is complete.
    public var recording: RecordingSpec?

    public init(
        index: Int, transport: ViewerProtocol, url: String, stream: String = "",
        rendition: String = "", joinNanoseconds: Int64 = 0, leaveNanoseconds: Int64? = nil,
        link: LinkAssignment? = nil, localAddress: String? = nil,
        playoutBufferMilliseconds: Int = 1000,
        mode: LoadReadMode = .lazy
    ) {
        self.mode = mode
        self.index = index
        self.transport = transport
        self.url = url
        self.stream = stream
        self.rendition = rendition
        self.joinNanoseconds = joinNanoseconds
        self.leaveNanoseconds = leaveNanoseconds
        self.link = link
        self.localAddress = localAddress
        self.playoutBufferMilliseconds = playoutBufferMilliseconds
    }
}

extension ViewerSpec {
    /// Key under which the delays of intervals are added up: `<stream>/<rendition>/<protocol>`.
    public var delayKey: String { Self.delayKey(stream, rendition, transport.rawValue) }

    public static func delayKey(_ stream: String, _ rendition: String, _ transport: String)
        -> String
    {
        "\(stream)/\(rendition)/\(transport)"
    }
}

/// An error of a viewer, with its description.
struct ViewerError: Error, CustomStringConvertible {
    var description: String
}
