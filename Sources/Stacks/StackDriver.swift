package import Processes
package import Sockets

/// Where a running stack takes and gives streams.
package struct StackEndpoints: Codable, Sendable, Hashable {
    /// Host name or address, IPv6 without brackets.
    package var rtmpHost: String
    package var rtmpPort: Int
    /// The RTMP application.
    package var application: String
    /// Where sources of ladders are published; nil = `application`.
    package var sourceApplication: String?
    /// Base of the HTTP-FLV URLs, to which `/<stream key>.flv` is added; nil = no HTTP-FLV.
    package var httpFLVBase: String?
    /// Multivariant playlists; `{stream}` stands for the stream. nil = no HLS.
    package var hlsURL: String?
    /// RTMP goes over TLS.
    package var isSecure = false
    /// Whom generators trust with https and rtmps.
    package var trust = TLSTrust()
    /// The same through each edge.
    package var edgeURLs: [String] = []

    package init(
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
    package func reached(at host: String) -> StackEndpoints {
        var other = self
        other.rtmpHost = host
        other.httpFLVBase = httpFLVBase?.replacing("//\(rtmpHost):", with: "//\(host):")
        other.hlsURL = hlsURL?.replacing("//\(rtmpHost):", with: "//\(host):")
        other.edgeURLs = edgeURLs.map { $0.replacing("//\(rtmpHost):", with: "//\(host):") }
        return other
    }
}

/// A stack that cannot be started or reached.
package struct StackError: Error, Sendable, CustomStringConvertible {
    package var driver: String
    /// What went wrong and how to mend it.
    package var message: String

    package init(
        driver: String, message: String
    ) {
        self.driver = driver
        self.message = message
    }

    package var description: String { "\(driver): \(message)" }
}

/// A server that ended on its own and was started again.
package struct StackRestart: Sendable, Hashable {
    package var status: ExitStatus
    /// Monotonic clock: seen to have ended.
    package var endedNanoseconds: Int64
    /// Monotonic clock: it accepts connections again; nil = not yet.
    package var backNanoseconds: Int64?
    /// Why the latest attempt to start it again failed.
    package var failure: String?
}

/// Starts and stops a server under test.
package protocol StackDriver: Sendable {
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
    package var restarts: [StackRestart] { [] }
}
