package import Processes
package import Server
package import SimulationKernel
import Sockets
package import Statistics
import Workers

/// Millrace's own relay, as a child process of this binary.
package actor EmbeddedDriver: StackDriver {
    package nonisolated let name = "embedded"
    private var configuration: ServerConfiguration
    private let cpus: CPUSet?
    private let logDirectory: String
    private var handle: RoleHandle<ServerRole>?
    private var watch: Task<Void, Never>?
    private var supervisor: SupervisorStateMachine
    private var window: Window?
    package private(set) var serverDelays: DelaySplit?
    package private(set) var serverCacheBytes: Int?
    private let onStatus: @Sendable (ServerStatus) -> Void
    package private(set) var restarts: [StackRestart] = []
    /// Manner in which the server ended; nil while it runs, and while it is being started again.
    package private(set) var exitStatus: ExitStatus?

    /// - Parameters:
    ///   - restarts: Number of times that a server that ends in mid-run is started again, on its
    ///     old ports.
    ///   - onStatus: Function that gets the server's status once a second, if the server has
    ///     encoders.
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
        var policy = RestartPolicy()
        policy.limit = max(1, restarts)
        supervisor = SupervisorStateMachine(policy: policy, attemptLimit: restarts)
    }

    package func start() async throws(StackError) -> StackEndpoints {
        let ready = try await launch()
        configuration.rtmpPort = ready.rtmpPort
        configuration.httpPort = ready.httpPort ?? 0
        if let port = ready.apiPort { configuration.apiPort = port }
        watch = Task { await self.supervise() }
        var endpoints = StackEndpoints(
            rtmpHost: "127.0.0.1", rtmpPort: ready.rtmpPort, application: "live",
            httpFLVBase: ready.httpPort.map { "http://127.0.0.1:\($0)/live" },
            hlsURL: configuration.hls == nil
                ? nil
                : ready.httpPort.map { "http://127.0.0.1:\($0)/hls/live/{stream}/master.m3u8" })
        endpoints.apiPort = ready.apiPort
        return endpoints
    }

    private func launch() async throws(StackError) -> ServerRole.Ready {
        do {
            let attempts = supervisor.attempts
            let suffix = attempts == 0 ? "" : "-again-\(attempts)"
            let handle = try RoleHandle<ServerRole>(
                name: "server-0\(suffix)", logDirectory: logDirectory, cpus: cpus,
                config: configuration, onInterval: onStatus)
            self.handle = handle
            let ready = try await handle.waitUntilReady()
            supervisor.launched(atMilliseconds: Self.milliseconds(Clock.monotonicNanoseconds()))
            supervisor.becameReady()
            if let window { handle.send(.window(window)) }
            // The server reports every second once it has been told to start.
            if !configuration.ladders.isEmpty { handle.send(.start(monotonicNanoseconds: 0)) }
            return ready
        } catch {
            await handle?.kill()
            throw StackError(driver: name, message: error.message)
        }
    }

    private static func milliseconds(_ nanoseconds: Int64) -> Int { Int(nanoseconds / 1_000_000) }

    /// Waits for the server's end, and starts the server again as often as is permitted.
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

    /// - Returns: Whether the server runs again.
    private func startAgain(after status: ExitStatus) async -> Bool {
        let now = Clock.monotonicNanoseconds()
        var next = supervisor.ended("it \(status)", atMilliseconds: Self.milliseconds(now))
        if next != .giveUp {
            restarts.append(StackRestart(status: status, endedNanoseconds: now))
        }
        while case .restart(let delay) = next {
            try? await Task.sleep(for: .milliseconds(delay))
            guard !Task.isCancelled else { return false }
            do {
                _ = try await launch()
                restarts[restarts.count - 1].backNanoseconds = Clock.monotonicNanoseconds()
                return true
            } catch {
                restarts[restarts.count - 1].failure = error.message
                next = supervisor.ended(
                    error.message,
                    atMilliseconds: Self.milliseconds(Clock.monotonicNanoseconds()))
            }
        }
        return false
    }

    package var processGroups: [Int32] { handle.map { [$0.pid] } ?? [] }

    package func setWindow(_ window: Window) {
        self.window = window
        handle?.send(.window(window))
    }

    package func stop() async {
        watch?.cancel()
        await watch?.value
        if let report = await handle?.finish(timeout: .seconds(5)) {
            serverDelays = report.delays
            serverCacheBytes = report.cacheBytes
        }
        handle = nil
    }
}
