import SimulationKernel
import Logging
public import Server

/// The embedded stack as a child process.
public struct ServerRole: WorkerRole {
    public struct Ready: Codable, Sendable {
        public var rtmpPort: Int
        public var httpPort: Int?
    }

    public static let name = "server"
    private let server: RelayServer

    public init(_ config: ServerConfiguration) async throws {
        var logger = Logger(label: "server") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        server = try await RelayServer.start(config, logger: logger)
    }

    public var ready: Ready {
        Ready(rtmpPort: server.rtmpPort, httpPort: server.httpPort)
    }

    public func start(atNanoseconds start: Int64) {}
    public func setWindow(_ window: Window) {}
    public func interval() async throws -> ServerStatus { try await server.status() }

    public func stop() async throws -> ServerStatus {
        let status = try await server.status()
        try await server.stop()
        return status
    }
}
