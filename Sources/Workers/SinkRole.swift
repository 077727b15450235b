package import SimulationKernel
package import Viewer

/// A sink as a child process: the target of streams that the server under test pushes. It listens
/// before it is ready, and counts from then on.
package final class SinkRole: WorkerRole {
    package struct Config: Codable, Sendable {
        package var specs: [SinkSpec]
        package var options: SinkOptions

        package init(specs: [SinkSpec], options: SinkOptions = SinkOptions()) {
            self.specs = specs
            self.options = options
        }
    }

    package struct Ready: Codable, Sendable {
        package var port: Int
    }

    package static let name = "sinks"
    private let pool: SinkPool

    package init(_ config: Config) async throws {
        pool = try await SinkPool.listen(config.specs, options: config.options)
    }

    package var ready: Ready { Ready(port: pool.port) }
    package func start(atNanoseconds start: Int64) {}
    package func setWindow(_ window: Window) { pool.setWindow(window) }
    package func interval() async throws -> SinkReport { try await pool.interval() }
    package func stop() async throws -> SinkReport { try await pool.stop() }
}
