/// How a viewer fetches its stream.
public enum ViewerProtocol: String, Codable, Sendable, CaseIterable {
    case rtmp
    case httpFLV = "http-flv"
}

/// One simulated viewer.
public struct ViewerSpec: Codable, Sendable, Hashable {
    /// How probes call themselves in flashVer and User-Agent, so that a capture keeps their frames.
    public static let probeAgent = "millrace-probe"

    /// Unique in the run.
    public var index: Int
    public var transport: ViewerProtocol
    /// `rtmp://host:port/app/stream` or `http://host:port/app/stream.flv`.
    public var url: String
    /// For the results only.
    public var stream: String
    public var rendition: String
    /// When it joins, counted from the run's start.
    public var joinNanoseconds: Int64
    /// When it leaves, counted likewise; nil = at the end.
    public var leaveNanoseconds: Int64?
    /// Its link, one of the pool's; nil = what the machine gives.
    public var link: LinkAssignment?
    /// The IPv4 address that it connects from; nil = the system's choice.
    public var localAddress: String?
    /// Media that the play-out buffer of a probe holds before it starts.
    public var playoutBufferMilliseconds: Int
    /// How it reads, where it is a load viewer.
    public var mode: LoadReadMode
    /// Of a probe that writes what it gets to a file and leaves once that is whole.
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
    /// Under which the intervals' delays are added up: `<stream>/<rendition>/<protocol>`.
    public var delayKey: String { Self.delayKey(stream, rendition, transport.rawValue) }

    public static func delayKey(_ stream: String, _ rendition: String, _ transport: String)
        -> String
    {
        "\(stream)/\(rendition)/\(transport)"
    }
}

/// What a viewer's address resolves to.
struct ViewerError: Error, CustomStringConvertible {
    var description: String
}
