public import SimulationKernel
public import Sockets
public import Statistics
import Synchronization

/// All HLS viewers of a process since the last report, or (final) with each viewer's own.
public struct HLSReport: Codable, Sendable {
    /// There, whether they play or not.
    public var connected = 0
    public var playing = 0
    public var failed = 0
    public var receivedBytes = 0
    /// How late the loop came to its own deadlines.
    public var lag = DelayHistogram()
    /// The same over the steady window alone, since the start.
    public var windowLag = DelayHistogram()
    public var viewers: [HLSViewerReport] = []

    public init() {}
}

/// Thousands of adaptive HLS viewers on one thread.
public final class HLSViewerPool: Sendable {
    public struct Options: Sendable, Codable {
        public var congestionControl: String?
        /// Links that the specifications name by index.
        public var links: [ViewerLink] = []
        /// Whom https trusts.
        public var trust = TLSTrust()
        /// What the viewers call themselves.
        public var agent = "millrace"

        public init() {}
    }

    /// Segment requests that are recorded one by one, over all viewers of a pool.
    public static let mostRecords = 400_000

    struct Shared {
        var report = HLSReport()
        var window: Window?
        var stop = false
        /// Nothing runs before the start.
        var finished = true
    }

    private let shared = Mutex(Shared())
    private let loop: HLSLoop

    /// Throws where a URL or an algorithm's name is wrong, or a host does not resolve.
    public init(_ specs: [HLSViewerSpec], options: Options) throws {
        loop = try HLSLoop(specs, options)
    }

    /// Starts the thread; joins are counted from `startNanoseconds` (CLOCK_MONOTONIC).
    public func start(atNanoseconds startNanoseconds: Int64, window: Window?) {
        if let window { setWindow(window) }
        shared.withLock { $0.finished = false }
        Thread.start(name: "hls viewers") { [self] in
            loop.run(from: startNanoseconds, pool: self)
            shared.withLock { $0.finished = true }
        }
    }

    func withShared<T>(_ body: (inout sending Shared) -> sending T) -> sending T {
        shared.withLock { body(&$0) }
    }

    /// What happened since the last call; counts are totals, the histogram is the interval's.
    public func interval() -> HLSReport {
        shared.withLock { shared in
            let report = shared.report
            shared.report.lag = DelayHistogram()
            return report
        }
    }

    /// Sets or moves the steady window; has effect on moments still to come.
    public func setWindow(_ window: Window) { shared.withLock { $0.window = window } }

    /// Closes every viewer and returns the final report. May come before the start.
    public func stop() async -> HLSReport {
        shared.withLock { $0.stop = true }
        while !shared.withLock({ $0.finished }) {
            try? await Task.sleep(for: .milliseconds(5))
        }
        return shared.withLock { $0.report }
    }
}
