import Logging
package import Server
package import SimulationKernel
import Sockets
package import Statistics
import Synchronization

/// The embedded stack as a child process.
package struct ServerRole: WorkerRole {
    package struct Ready: Codable, Sendable {
        package var rtmpPort: Int
        package var httpPort: Int?
        package var apiPort: Int?
    }

    /// The last report.
    package struct Report: Codable, Sendable {
        package var status: ServerStatus
        /// Deliveries of messages that were read in the steady window; nil if none was measured.
        package var delays: DelaySplit?
        /// Bytes in the caches for joining players at the end of the steady window; nil if the
        /// server ended before.
        package var cacheBytes: Int?
    }

    package static let name = "server"
    private let server: RelayServer
    private let caches = CacheSample()

    package init(_ config: ServerConfiguration) async throws {
        var logger = Logger(label: "server") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        server = try await RelayServer.start(config, logger: logger)
    }

    package var ready: Ready {
        Ready(rtmpPort: server.rtmpPort, httpPort: server.httpPort, apiPort: server.apiPort)
    }

    package func start(atNanoseconds start: Int64) {}
    package func setWindow(_ window: Window) {
        server.setWindow(window)
        caches.take(after: window.endNanoseconds, from: server)
    }

    package func interval() async throws -> ServerStatus { try await server.status() }

    package func stop() async throws -> Report {
        let report = Report(
            status: try await server.status(), delays: server.windowedDelays,
            cacheBytes: caches.bytes)
        caches.cancel()
        try await server.stop()
        return report
    }
}

/// Bytes in the caches for joining players, taken once when the steady window is over: the
/// publishers are gone when the server reports at last, and so are their caches.
private final class CacheSample: Sendable {
    /// Time after the window, so that the question does not delay the window's last frames.
    private static let pauseNanoseconds: Int64 = 50_000_000

    private struct State {
        var bytes: Int?
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())

    var bytes: Int? { state.withLock { $0.bytes } }

    /// Takes the sample after a time on CLOCK_MONOTONIC, in the place of a sample that was to come.
    func take(after end: Int64, from server: RelayServer) {
        let task = Task {
            let wait = max(0, end - Clock.monotonicNanoseconds()) + Self.pauseNanoseconds
            try? await Task.sleep(for: .nanoseconds(wait))
            guard !Task.isCancelled, let status = try? await server.status() else { return }
            let bytes = status.streams.reduce(0) { $0 + $1.gopCacheBytes }
            state.withLock { $0.bytes = bytes }
        }
        let last = state.withLock { state in
            let last = state.task
            state.task = task
            return last
        }
        last?.cancel()
    }

    func cancel() {
        let task = state.withLock { $0.task }
        task?.cancel()
    }
}
