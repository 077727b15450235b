import Logging
import Processes
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
        /// Most bytes in the caches for joining players in the steady window; nil if the server
        /// ended before.
        package var cacheBytes: Int?
    }

    package static let name = "server"
    private let server: RelayServer
    private let caches = CacheSample()

    package init(_ config: ServerConfiguration) async throws {
        var logger = Logger(label: "server") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        server = try await RelayServer.start(config, logger: logger)
        ProgramText.release()
    }

    package var ready: Ready {
        Ready(rtmpPort: server.rtmpPort, httpPort: server.httpPort, apiPort: server.apiPort)
    }

    package func start(atNanoseconds start: Int64) {}
    package func setWindow(_ window: Window) {
        server.setWindow(window)
        caches.take(in: window, from: server)
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

/// The most bytes that the caches for joining players held in the steady window. A cache grows until
/// the next key frame comes.
private final class CacheSample: Sendable {
    /// Time between two looks. It has no common rhythm with groups of pictures of whole seconds.
    private static let pauseNanoseconds: Int64 = 700_000_000

    private struct State {
        var bytes: Int?
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())

    var bytes: Int? { state.withLock { $0.bytes } }

    /// Looks during a window on CLOCK_MONOTONIC, in the place of a window that was to come.
    func take(in window: Window, from server: RelayServer) {
        let task = Task {
            let wait = max(0, window.startNanoseconds - Clock.monotonicNanoseconds())
            try? await Task.sleep(for: .nanoseconds(wait))
            while Clock.monotonicNanoseconds() < window.endNanoseconds {
                guard !Task.isCancelled, let status = try? await server.status() else { return }
                let bytes = status.streams.reduce(0) { $0 + $1.gopCacheBytes }
                state.withLock { $0.bytes = max($0.bytes ?? 0, bytes) }
                try? await Task.sleep(for: .nanoseconds(Self.pauseNanoseconds))
            }
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
