import SimulationKernel
public import Publisher

/// Publishers as a child process; ready once every stream may be sent.
public struct PublisherRole: WorkerRole {
    public struct Config: Codable, Sendable {
        public var specs: [PublishSpec]
        public var options: PublisherOptions
    }

    public static let name = "publishers"
    private let pool: PublisherPool

    public init(_ config: Config) async throws {
        pool = try await PublisherPool(config.specs, options: config.options)
        try await pool.connect()
    }

    public var ready: Empty { Empty() }
    public func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start) }

    public func setWindow(_ window: Window) {
        pool.setWindow(
            window.startNanoseconds...max(window.startNanoseconds, window.endNanoseconds - 1))
    }

    public func interval() async throws -> PublisherReport { try await pool.report() }

    public func stop() async throws -> PublisherReport {
        let report = try await pool.report()
        try await pool.stop()
        return report
    }
}
