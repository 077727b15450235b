public import SimulationKernel
public import Sockets
public import Statistics
import Synchronization

/// Report on all HLS viewers of a process since the last report, or the final report with the
/// figures of each viewer.
public struct HLSReport: Codable, Sendable {
    /// Number of viewers that are present, whether they play or not.
    public var connected = 0
    public var playing = 0
    public var failed = 0
    public var receivedBytes = 0
    /// Lateness of the loop against its own deadlines.
    public var lag = DelayHistogram()
    /// Lateness within the steady window alone, since the start.
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
        /// Authorities that https trusts.
        public var trust = TLSTrust()
        /// User agent of the viewers.
        public var agent = "millrace"

        public init() {}
    }

    /// Largest number of segment requests that are recorded one by one, over all viewers of a pool.
    public static let mostRecords = 400_000

    struct Shared {
        var report = HLSReport()
        var window: Window?
        var stop = false
        /// True before the start, because nothing runs then.
        var finished = true
    }

    private let shared = Mutex(Shared())
    private let loop: HLSLoop

    /// - Throws: an error if a URL or an algorithm's name is wrong, or a host does not resolve.
    public init(_ specs: [HLSViewerSpec], options: Options) throws {
        loop = try HLSLoop(specs, options)
    }

    /// Starts the thread. Join times count from `startNanoseconds` (CLOCK_MONOTONIC).
    public func start(atNanoseconds startNanoseconds: Int64, window: Window?) {
        if let window { setWindow(window) }
        shared.withLock { $0.finished = false }
        SystemThread.startViewers(name: "hls viewers") { [self] in
            loop.run(from: startNanoseconds, pool: self)
            shared.withLock { $0.finished = true }
        }
    }

    func withShared<T>(_ body: (inout sending Shared) -> sending T) -> sending T {
        shared.withLock { body(&$0) }
    }

    /// Returns what happened since the last call: the counts are totals, the histogram covers the
    /// interval.
    public func interval() -> HLSReport {
        shared.withLock { shared in
            let report = shared.report
            shared.report.lag = DelayHistogram()
            return report
        }
    }

    /// Sets or moves the steady window. The change affects only times that are still to come.
    public func setWindow(_ window: Window) { shared.withLock { $0.window = window } }

    /// Closes every viewer and returns the final report. The call is allowed before the start.
    public func stop() async -> HLSReport {
        shared.withLock { $0.stop = true }
        while !shared.withLock({ $0.finished }) {
            try? await Task.sleep(for: .milliseconds(5))
        }
        return shared.withLock { $0.report }
    }
}
