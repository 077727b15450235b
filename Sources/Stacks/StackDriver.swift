public import Processes
public import Sockets

/// Where a running stack takes and gives streams.
public struct StackEndpoints: Codable, Sendable, Hashable {
    /// Host name or address, IPv6 without brackets.
    public var rtmpHost: String
    public var rtmpPort: Int
    /// The RTMP application.
    public var application: String
    /// Where sources of ladders are published; nil = `application`.
    public var sourceApplication: String?
    /// Base of the HTTP-FLV URLs, to which `/<stream key>.flv` is added; nil = no HTTP-FLV.
    public var httpFLVBase: String?
    /// Multivariant playlists; `{stream}` stands for the stream. nil = no HLS.
    public var hlsURL: String?
    /// RTMP goes over TLS.
    public var isSecure = false
    /// Whom generators trust with https and rtmps.
    public var trust = TLSTrust()
    /// The same through each edge.
    public var edgeURLs: [String] = []

    public init(
        rtmpHost: String, rtmpPort: Int, application: String, httpFLVBase: String? = nil,
        hlsURL: String? = nil
    ) {
        self.hlsURL = hlsURL
        self.rtmpHost = rtmpHost
        self.rtmpPort = rtmpPort
        self.application = application
        self.httpFLVBase = httpFLVBase
    }

    /// The same server, reached at another address.
    func reached(at host: String) -> StackEndpoints {
        var other = self
        other.rtmpHost = host
        other.httpFLVBase = httpFLVBase?.replacing("//\(rtmpHost):", with: "//\(host):")
        other.hlsURL = hlsURL?.replacing("//\(rtmpHost):", with: "//\(host):")
        other.edgeURLs = edgeURLs.map { $0.replacing("//\(rtmpHost):", with: "//\(host):") }
        return other
    }
}

/// A stack that cannot be started or reached.
public struct StackError: Error, Sendable, CustomStringConvertible {
    public var driver: String
    /// What went wrong and how to mend it.
    public var message: String

    public var description: String { "\(driver): \(message)" }
}

/// A server that ended on its own and was started again.
public struct StackRestart: Sendable, Hashable {
    public var status: ExitStatus
    /// Monotonic clock: seen to have ended.
    public var endedNanoseconds: Int64
    /// Monotonic clock: it accepts connections again; nil = not yet.
    public var backNanoseconds: Int64?
    /// Why the latest attempt to start it again failed.
    public var failure: String?
}

/// Starts and stops a server under test.
public protocol StackDriver: Sendable {
    var name: String { get }

    /// Starts the stack and waits until it accepts connections.
    func start() async throws(StackError) -> StackEndpoints

    /// Process groups to account the server's CPU to; empty where it runs elsewhere.
    var processGroups: [Int32] { get async }

    /// How the server ended, if it has: a crash in mid-run ends the trial. One that is being started
    /// again has not.
    var exitStatus: ExitStatus? { get async }

    /// The server's ends in mid-run after which it was started again.
    var restarts: [StackRestart] { get async }

    /// Stops the stack and removes its files; returns once no process of it is left.
    func stop() async
}

extension StackDriver {
    public var restarts: [StackRestart] { [] }
}
