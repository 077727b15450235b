import SimulationKernel
import Logging
import Processes
public import Server

/// An edge as a child process.
public struct EdgeRole: WorkerRole {
    public struct Ready: Codable, Sendable {
        public var port: Int
    }

    public static let name = "edge"
    private let server: EdgeServer

    public init(_ config: EdgeConfiguration) async throws {
        LargeBlocks.giveBack()
        var logger = Logger(label: "edge") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        server = try await EdgeServer.start(config, logger: logger)
    }

    public var ready: Ready { Ready(port: server.port) }
    public func start(atNanoseconds start: Int64) {}
    public func setWindow(_ window: Window) {}
    public func interval() async throws -> EdgeStatus { try await server.status() }

    public func stop() async throws -> EdgeStatus {
        let status = try await server.status()
        try await server.stop()
        return status
    }
}
