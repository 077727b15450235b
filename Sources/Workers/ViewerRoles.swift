import SimulationKernel
public import Sockets
public import Viewer

/// Load viewers as a child process.
public final class LoadViewerRole: WorkerRole {
    public struct Config: Codable, Sendable {
        public var specs: [ViewerSpec]
        public var options: LoadViewerPool.Options
    }

    public static let name = "viewers"
    private let pool: LoadViewerPool

    public init(_ config: Config) throws {
        pool = try LoadViewerPool(config.specs, options: config.options)
    }

    public var ready: Empty { Empty() }
    public func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start, window: nil) }
    public func setWindow(_ window: Window) { pool.setWindow(SteadyWindow(window)) }
    public func interval() -> LoadReport { pool.interval() }
    public func stop() async -> LoadReport { await pool.stop() }
}

/// Probe viewers as a child process.
public final class ProbeRole: WorkerRole {
    public struct Config: Codable, Sendable {
        public var specs: [ViewerSpec]
        public var congestionControl: String?
        public var links: [ViewerLink]
        public var trust = TLSTrust()
    }

    public static let name = "probes"
    private let pool: ProbePool

    public init(_ config: Config) throws {
        pool = try ProbePool(
            config.specs, congestionControl: config.congestionControl,
            links: config.links, trust: config.trust)
    }

    public var ready: Empty { Empty() }
    public func start(atNanoseconds start: Int64) { pool.start(atNanoseconds: start, window: nil) }
    public func setWindow(_ window: Window) { pool.setWindow(SteadyWindow(window)) }
    public func interval() async throws -> ProbeReport { try await pool.interval() }
    public func stop() async throws -> ProbeReport { try await pool.stop() }
}

extension SteadyWindow {
    init(_ window: Window) {
        self.init(
            startNanoseconds: window.startNanoseconds, endNanoseconds: window.endNanoseconds)
    }
}
