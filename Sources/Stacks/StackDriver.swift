package import Processes
package import SimulationKernel
package import Sockets
package import Statistics

/// Addresses at which a running stack takes and serves streams.
package struct StackEndpoints: Codable, Sendable, Hashable {
    /// Host name or address; an IPv6 address has no brackets.
    package var rtmpHost: String
    package var rtmpPort: Int
    /// The RTMP application.
    package var application: String
    /// Application into which sources of ladders are published; nil = `application`.
    package var sourceApplication: String?
    /// Port of the API on 127.0.0.1, if the API has a port of its own.
    package var apiPort: Int?
    /// Base of the HTTP-FLV URLs, to which `/<stream key>.flv` is added; nil if the stack serves no
    /// HTTP-FLV.
    package var httpFLVBase: String?
    /// URL of multivariant playlists, in which `{stream}` stands for the stream; nil if the stack
    /// serves no HLS.
    package var hlsURL: String?
    /// Whether RTMP goes over TLS.
    package var isSecure = false
    /// Certificates that generators trust with https and rtmps.
    package var trust = TLSTrust()
    /// The HLS URL through each edge, in the order of the edges.
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

    /// Returns the endpoints of the same server at another address.
    package func reached(at host: String) -> StackEndpoints {
        var other = self
        other.rtmpHost = host
        other.httpFLVBase = httpFLVBase?.replacing("//\(rtmpHost):", with: "//\(host):")
        other.hlsURL = hlsURL?.replacing("//\(rtmpHost):", with: "//\(host):")
        other.edgeURLs = edgeURLs.map { $0.replacing("//\(rtmpHost):", with: "//\(host):") }
        return other
    }
}

/// Error for a stack that cannot be started or reached.
package struct StackError: Error, Sendable, CustomStringConvertible {
    package var driver: String
    /// Text that says what went wrong and how to mend it.
    package var message: String

    package init(driver: String, message: String) {
        self.driver = driver
        self.message = message
    }

    package var description: String { "\(driver): \(message)" }
}

/// Starts and stops a server under test.
package protocol StackDriver: Sendable {
    var name: String { get }

    /// Starts the stack and waits until it accepts connections.
    func start() async throws(StackError) -> StackEndpoints

    /// Lets a start that waits for the server fail soon, because the run was interrupted.
    func cancelStart() async

    /// Gets the shared start time (CLOCK_MONOTONIC) of the trial, a moment before it comes. A
    /// server that only relays has no use for it.
    func begin(atNanoseconds start: Int64) async

    /// Process groups of the server, which use its CPU time; empty if this run did not start the
    /// server.
    var processGroups: [Int32] { get async }

    /// Processes of the server that are in none of these groups, as they are now.
    var processes: [ProcessIdentity] { get async }

    /// Whether the server tells its CPU time itself.
    var hasStatistics: Bool { get async }

    /// Reads what the server tells about its CPU time; nil if it tells nothing, or if the reading
    /// failed.
    func readStatistics() async -> StatReading?

    /// Manner in which the server ended, which ends the trial; nil while the server runs, and while
    /// it is being started again.
    var exitStatus: ExitStatus? { get async }

    /// The server's ends in mid-run after which it was, or is being, started again.
    var restarts: [StackRestart] { get async }

    /// Gives the server the steady window on CLOCK_MONOTONIC, again if the window ends early.
    func setWindow(_ window: Window) async

    /// Time of the server's deliveries in the steady window, which is known once the stack has
    /// stopped; nil if the server does not measure it.
    var serverDelays: DelaySplit? { get async }

    /// Most bytes in the server's caches for joining players in the steady window, which are known
    /// once the stack has stopped; nil if the server does not tell.
    var serverCacheBytes: Int? { get async }

    /// Sentences about the server for the results of the run. They are complete after `stop`.
    var notes: [String] { get async }

    /// Stops the stack and removes its files; returns once all its processes are gone.
    func stop() async
}

extension StackDriver {
    package func cancelStart() {}
    package func begin(atNanoseconds start: Int64) async {}
    package var restarts: [StackRestart] { [] }
    package var serverDelays: DelaySplit? { nil }
    package var serverCacheBytes: Int? { nil }
    package func setWindow(_ window: Window) {}
    package var processes: [ProcessIdentity] { [] }
    package var hasStatistics: Bool { false }
    package func readStatistics() async -> StatReading? { nil }
    package var notes: [String] { [] }
}
