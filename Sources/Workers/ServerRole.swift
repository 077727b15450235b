import Logging
package import Server
package import SimulationKernel
package import Statistics

/// The embedded stack as a child process.
package struct ServerRole: WorkerRole {
    package struct Ready: Codable, Sendable {
        package var rtmpPort: Int
        package var httpPort: Int?
    }

    /// The last report.
    package struct Report: Codable, Sendable {
        package var status: ServerStatus
        /// Deliveries of messages that were read in the steady window; nil if none was measured.
        package var delays: DelaySplit?
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
    package func setWindow(_ window: Window) { server.setWindow(window) }
    package func interval() async throws -> ServerStatus { try await server.status() }

    package func stop() async throws -> Report {
        let report = Report(status: try await server.status(), delays: server.windowedDelays)
        try await server.stop()
        return report
    }
}
