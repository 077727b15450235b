import Logging
import Processes
package import Server
package import SimulationKernel

/// An edge as a child process.
package struct EdgeRole: WorkerRole {
    package struct Ready: Codable, Sendable {
        package var port: Int
    }

    package static let name = "edge"
    private let server: EdgeServer

    package init(_ config: EdgeConfiguration) async throws {
        LargeBlocks.giveBack()
        var logger = Logger(label: "edge") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        server = try await EdgeServer.start(config, logger: logger)
    }

    package var ready: Ready { Ready(port: server.port) }
    package func start(atNanoseconds start: Int64) {}
    package func setWindow(_ window: Window) {}
    package func interval() async throws -> EdgeStatus { try await server.status() }

    package func stop() async throws -> EdgeStatus {
        let status = try await server.status()
        try await server.stop()
        return status
    }
}
