import Glibc
public import SimulationKernel
public import Sockets
import Statistics
import Synchronization

/// The two ways in which load viewers read.
public enum LoadReadMode: String, Codable, Sendable, CaseIterable {
    /// A viewer wakes when `lowWaterMark` bytes wait, or after `longestRestMilliseconds`: a fraction
    /// of the CPU time, and no effect on other viewers.
    case lazy
    /// A viewer reads bytes as soon as they come, as a real player does. Use it to compare servers
    /// fairly.
    case prompt
}

/// Thousands of viewers that only generate load, on one thread around one epoll set and one buffer.
public final class LoadViewerPool: Sendable {
    public struct Options: Sendable, Codable {
        /// SO_RCVLOWAT of playing viewers that read lazily, in bytes.
        public var lowWaterMark = 65536
        /// Longest time for which such a viewer leaves bytes unread, in ms. Servers end connections
        /// whose ping requests get no answer within 30 s or more, and a stream may pause.
        public var longestRestMilliseconds = 10_000
        public var congestionControl: String?
        /// Links that the specifications name by index.
        public var links: [ViewerLink] = []
        /// Authorities that https and rtmps trust.
        public var trust = TLSTrust()

        public init() {}
    }

    private let shared: Mutex<Shared>
    private let loop: LoadLoop

    struct Shared {
        var report = LoadReport(
            connected: 0, playing: 0, failed: 0, receivedBytes: 0, lag: .init(), viewers: [])
        var window: Window?
        var stop = false
        /// True before the start, because nothing runs then.
        var finished = true
    }

    /// - Throws: an error if a URL is wrong or a host does not resolve.
    public init(_ specs: [ViewerSpec], options: Options) throws {
        shared = Mutex(Shared())
        loop = try LoadLoop(specs, options)
    }

    /// Starts the thread. Join times count from `startNanoseconds` (CLOCK_MONOTONIC).
    public func start(atNanoseconds startNanoseconds: Int64, window: Window?) {
        if let window { setWindow(window) }
        shared.withLock { $0.finished = false }
        SystemThread.startViewers(name: "viewers") { [self] in
            loop.run(from: startNanoseconds, pool: self)
            shared.withLock { $0.finished = true }
        }
    }

    func withShared<T>(_ body: (inout sending Shared) -> sending T) -> sending T {
        shared.withLock { body(&$0) }
    }

    /// Returns what happened since the last call: the counts are totals, the histogram covers the
    /// interval.
    public func interval() -> LoadReport {
        shared.withLock { shared in
            let report = shared.report
            shared.report.lag = DelayHistogram()
            return report
        }
    }

    /// Sets or moves the steady window. The change affects only times that are still to come.
    public func setWindow(_ window: Window) { shared.withLock { $0.window = window } }

    /// Closes every viewer and returns the final report. The call is allowed before the start.
    public func stop() async -> LoadReport {
        shared.withLock { $0.stop = true }
        while !shared.withLock({ $0.finished }) {
            try? await Task.sleep(for: .milliseconds(5))
        }
        return shared.withLock { $0.report }
    }
}

extension SystemThread {
    /// Starts a thread of viewers. A role without its thread can measure nothing, so the process
    /// ends with the reason.
    static func startViewers(name: String, _ body: @escaping @Sendable () -> Void) {
        do {
            try start(name: name, body)
        } catch {
            fatalError("viewers: \(error)")
        }
    }
}
