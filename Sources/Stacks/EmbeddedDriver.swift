import Workers
import Sockets
package import Processes
package import Server

/// Our own relay, as a child process of this binary.
package actor EmbeddedDriver: StackDriver {
    package nonisolated let name = "embedded"
    private var configuration: ServerConfiguration
    private let cpus: CPUSet?
    private let logDirectory: String
    private let restartLimit: Int
    private var handle: RoleHandle<ServerRole>?
    private var watch: Task<Void, Never>?
    private var backoff: RestartBackoff
    private var attempts = 0
    private var launchedNanoseconds: Int64 = 0
    private let onStatus: @Sendable (ServerStatus) -> Void
    package private(set) var restarts: [StackRestart] = []
    /// How the server ended that is not started again.
    package private(set) var exitStatus: ExitStatus?

    /// - Parameters:
    ///   - restarts: how often a server that ends in mid-run is started again, on its old ports.
    ///   - onStatus: called with the server's status, once a second where it has encoders.
    package init(
        _ configuration: ServerConfiguration, cpus: CPUSet?, logDirectory: String,
        restarts: Int = 0, onStatus: @escaping @Sendable (ServerStatus) -> Void = { _ in }
    ) {
        self.onStatus = onStatus
        var configuration = configuration
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        self.configuration = configuration
        self.cpus = cpus
        self.logDirectory = logDirectory
        restartLimit = restarts
        var policy = RestartPolicy()
        policy.limit = max(1, restarts)
        backoff = RestartBackoff(policy)
    }

    package func start() async throws(StackError) -> StackEndpoints {
        let ready = try await launch()
        configuration.rtmpPort = ready.rtmpPort
        configuration.httpPort = ready.httpPort ?? 0
        watch = Task { await self.supervise() }
        return StackEndpoints(
            rtmpHost: "127.0.0.1", rtmpPort: ready.rtmpPort, application: "live",
            httpFLVBase: ready.httpPort.map { "http://127.0.0.1:\($0)/live" },
            hlsURL: configuration.hls == nil
                ? nil
                : ready.httpPort.map { "http://127.0.0.1:\($0)/hls/live/{stream}/master.m3u8" })
    }

    private func launch() async throws(StackError) -> ServerRole.Ready {
        do {
            let suffix = attempts == 0 ? "" : "-again-\(attempts)"
            let handle = try RoleHandle<ServerRole>(
                name: "server-0\(suffix)", logDirectory: logDirectory, cpus: cpus,
                config: configuration, onInterval: onStatus)
            self.handle = handle
            let ready = try await handle.waitUntilReady()
            launchedNanoseconds = Clock.monotonicNanoseconds()
            // Reports every second begin with the start.
            if !configuration.ladders.isEmpty { handle.send(.start(monotonicNanoseconds: 0)) }
            return ready
        } catch {
            await handle?.kill()
            throw StackError(driver: name, message: error.message)
        }
    }

    /// Waits for the server's end, and starts it again as often as it may be.
    private func supervise() async {
        while !Task.isCancelled {
            guard let status = handle?.exitStatus else {
                try? await Task.sleep(for: .milliseconds(20))
                continue
            }
            guard await startAgain(after: status) else {
                if !Task.isCancelled { exitStatus = status }
                return
            }
        }
    }

    /// - Returns: false where it is not to be, or cannot be, started again.
    private func startAgain(after status: ExitStatus) async -> Bool {
        guard attempts < restartLimit else { return false }
        let now = Clock.monotonicNanoseconds()
        var ran = Int((now - launchedNanoseconds) / 1_000_000)
        restarts.append(StackRestart(status: status, endedNanoseconds: now))
        while attempts < restartLimit, let delay = backoff.ended(afterMilliseconds: ran) {
            attempts += 1
            ran = 0
            try? await Task.sleep(for: .milliseconds(delay))
            guard !Task.isCancelled else { return false }
            do {
                _ = try await launch()
                let back = Clock.monotonicNanoseconds()
                restarts[restarts.count - 1].backNanoseconds = back
                return true
            } catch {
                restarts[restarts.count - 1].failure = error.message
            }
        }
        return false
    }

    package var processGroups: [Int32] { handle.map { [$0.pid] } ?? [] }

    package func stop() async {
        watch?.cancel()
        await watch?.value
        _ = await handle?.finish(timeout: .seconds(5))
        handle = nil
    }
}
