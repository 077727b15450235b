package import Publisher
package import SimulationKernel

/// Publishers as a child process. It is ready once every stream may be sent.
package struct PublisherRole: WorkerRole {
    package struct Config: Codable, Sendable {
        package var specs: [PublishSpec]
        package var options: PublisherOptions

        package init(specs: [PublishSpec], options: PublisherOptions) {
            self.specs = specs
            self.options = options
        }
    }

    package static let name = "publishers"
    private let pool: PublisherPool

    package init(_ config: Config) async throws {
        pool = try await PublisherPool(config.specs, options: config.options)
        try await pool.connect()
    }

    package var ready: Empty { Empty() }
    package func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start) }

    package func setWindow(_ window: Window) { pool.setWindow(window) }

    package func interval() async throws -> PublisherReport { try await pool.report() }

    package func stop() async throws -> PublisherReport {
        let report = try await pool.report()
        try await pool.stop()
        return report
    }
}
