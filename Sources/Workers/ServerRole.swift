import Logging
package import Server
package import SimulationKernel

/// The embedded stack as a child process.
package struct ServerRole: WorkerRole {
    package struct Ready: Codable, Sendable {
        package var rtmpPort: Int
        package var httpPort: Int?
    }

    package static let name = "server"
    private let server: RelayServer

    package init(_ config: ServerConfiguration) async throws {
        var logger = Logger(label: "server") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        server = try await RelayServer.start(config, logger: logger)
    }

    package var ready: Ready {
        Ready(rtmpPort: server.rtmpPort, httpPort: server.httpPort)
    }

    package func start(atNanoseconds start: Int64) {}
    package func setWindow(_ window: Window) {}
    package func interval() async throws -> ServerStatus { try await server.status() }

    package func stop() async throws -> ServerStatus {
        let status = try await server.status()
        try await server.stop()
        return status
    }
}
