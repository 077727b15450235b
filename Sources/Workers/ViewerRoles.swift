package import SimulationKernel
package import Sockets
package import Viewer

/// Load viewers as a child process.
package final class LoadViewerRole: WorkerRole {
    package struct Config: Codable, Sendable {
        package var specs: [ViewerSpec]
        package var options: LoadViewerPool.Options

        package init(specs: [ViewerSpec], options: LoadViewerPool.Options) {
            self.specs = specs
            self.options = options
        }
    }

    package static let name = "viewers"
    private let pool: LoadViewerPool

    package init(_ config: Config) throws {
        pool = try LoadViewerPool(config.specs, options: config.options)
    }

    package var ready: Empty { Empty() }
    package func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start, window: nil) }
    package func setWindow(_ window: Window) { pool.setWindow(window) }
    package func interval() -> LoadReport { pool.interval() }
    package func stop() async -> LoadReport { await pool.stop() }
}

/// Probe viewers as a child process.
package final class ProbeRole: WorkerRole {
    package struct Config: Codable, Sendable {
        package var specs: [ViewerSpec]
        package var congestionControl: String?
        package var links: [ViewerLink]
        package var trust = TLSTrust()

        package init(
            specs: [ViewerSpec], congestionControl: String? = nil, links: [ViewerLink],
            trust: TLSTrust = TLSTrust()
        ) {
            self.specs = specs
            self.congestionControl = congestionControl
            self.links = links
            self.trust = trust
        }
    }

    package static let name = "probes"
    private let pool: ProbePool

    package init(_ config: Config) throws {
        pool = try ProbePool(
            config.specs, congestionControl: config.congestionControl,
            links: config.links, trust: config.trust)
    }

    package var ready: Empty { Empty() }
    package func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start, window: nil) }
    package func setWindow(_ window: Window) { pool.setWindow(window) }
    package func interval() async throws -> ProbeReport { try await pool.interval() }
    package func stop() async throws -> ProbeReport { try await pool.stop() }
}
