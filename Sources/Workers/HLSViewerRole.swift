package import SimulationKernel
package import Viewer

/// Adaptive HLS viewers as a child process.
package final class HLSViewerRole: WorkerRole {
    package struct Config: Codable, Sendable {
        package var specs: [HLSViewerSpec]
        package var options: HLSViewerPool.Options

        package init(specs: [HLSViewerSpec], options: HLSViewerPool.Options) {
            self.specs = specs
            self.options = options
        }
    }

    package static let name = "hls"
    private let pool: HLSViewerPool

    package init(_ config: Config) throws {
        pool = try HLSViewerPool(config.specs, options: config.options)
    }

    package var ready: Empty { Empty() }
    package func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start, window: nil) }
    package func setWindow(_ window: Window) { pool.setWindow(window) }
    package func interval() -> HLSReport { pool.interval() }
    package func stop() async -> HLSReport { await pool.stop() }
}
