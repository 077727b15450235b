import SimulationKernel
public import Viewer

/// Adaptive HLS viewers as a child process.
public final class HLSViewerRole: WorkerRole {
    public struct Config: Codable, Sendable {
        public var specs: [HLSViewerSpec]
        public var options: HLSViewerPool.Options
    }

    public static let name = "hls"
    private let pool: HLSViewerPool

    public init(_ config: Config) throws {
        pool = try HLSViewerPool(config.specs, options: config.options)
    }

    public var ready: Empty { Empty() }
    public func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start, window: nil) }
    public func setWindow(_ window: Window) { pool.setWindow(SteadyWindow(window)) }
    public func interval() -> HLSReport { pool.interval() }
    public func stop() async -> HLSReport { await pool.stop() }
}
