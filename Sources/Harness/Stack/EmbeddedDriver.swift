public import Processes
public import Server

/// Our own relay, as a child process of this binary.
public actor EmbeddedDriver: StackDriver {
    public nonisolated let name = "embedded"
    private let configuration: ServerConfiguration
    private let cpus: CPUSet?
    private let logDirectory: String
    private var handle: RoleHandle<ServerRole>?
    private let onStatus: @Sendable (ServerStatus) -> Void

    /// - Parameter onStatus: called with the server's status, once a second where it has encoders.
    public init(
        _ configuration: ServerConfiguration, cpus: CPUSet?, logDirectory: String,
        onStatus: @escaping @Sendable (ServerStatus) -> Void = { _ in }
    ) {
        self.onStatus = onStatus
        var configuration = configuration
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        self.configuration = configuration
        self.cpus = cpus
        self.logDirectory = logDirectory
    }

    public func start() async throws(StackError) -> StackEndpoints {
        do {
            let handle = try RoleHandle<ServerRole>(
                name: "server-0", logDirectory: logDirectory, cpus: cpus, config: configuration,
                onInterval: onStatus)
            self.handle = handle
            let ready = try await handle.waitUntilReady()
            // Reports every second begin with the start.
            if !configuration.ladders.isEmpty { handle.send(.start(monotonicNanoseconds: 0)) }
            return StackEndpoints(
                rtmpHost: "127.0.0.1", rtmpPort: ready.rtmpPort, application: "live",
                httpFLVBase: ready.httpPort.map { "http://127.0.0.1:\($0)/live" },
                hlsURL: configuration.hls == nil
                    ? nil
                    : ready.httpPort.map {
                        "http://127.0.0.1:\($0)/hls/live/{stream}/master.m3u8"
                    })
        } catch {
            await handle?.kill()
            throw StackError(driver: name, message: error.message)
        }
    }

    public var processGroups: [Int32] { handle.map { [$0.pid] } ?? [] }
    public var exitStatus: ExitStatus? { handle?.exitStatus }

    public func stop() async {
        _ = await handle?.finish(timeout: .seconds(5))
        handle = nil
    }
}
