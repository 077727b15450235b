public import Processes
public import Server
import Foundation
import Glibc
import Sockets

/// nginx with the RTMP module, with a configuration of its own in a temporary directory: relay, and
/// where asked for its own ffmpeg ladder (`exec_push`) and its own HLS.
public actor NginxRTMPDriver: StackDriver {
    public nonisolated let name = "nginx-rtmp"

    /// What the scenario says about the server.
    public struct Options: Sendable {
        /// The address that it listens on.
        public var host: String
        public var workers: Int
        /// Bytes.
        public var outChunkSize: Int
        public var cpus: CPUSet?
        public var logPath: String?
        public var nginxPath: String
        public var modulePath: String
        /// nil = it packages nothing.
        var hls: NginxConfiguration.HLS?
        /// What its encoders make, and of which streams.
        var ladder: LadderConfiguration?
        var sources: [String] = []

        public init(
            host: String = "127.0.0.1", workers: Int = 1, outChunkSize: Int = 4096,
            cpus: CPUSet? = nil,
            logPath: String? = nil, nginxPath: String = "/usr/sbin/nginx",
            modulePath: String = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
        ) {
            self.host = host
            self.workers = workers
            self.outChunkSize = outChunkSize
            self.cpus = cpus
            self.logPath = logPath
            self.nginxPath = nginxPath
            self.modulePath = modulePath
        }

        func configuration() throws(LadderError) -> NginxConfiguration {
            var configuration = NginxConfiguration(modulePath: modulePath)
            configuration.host = host
            configuration.workers = workers
            configuration.outChunkSize = outChunkSize
            configuration.hls = hls
            guard let ladder else { return configuration }
            configuration.ladder = ladder
            configuration.ffmpegPath = try FFmpegProgram.path(ladder.ffmpegPath)
            return configuration
        }
    }

    private let options: Options
    private let directory: String
    private var process: ChildProcess?
    private let onStatus: @Sendable (ServerStatus) -> Void
    private var watching: Task<Void, Never>?

    /// - Parameter onStatus: called once a second with what the encoders do, where there are any.
    public init(
        _ options: Options = Options(),
        onStatus: @escaping @Sendable (ServerStatus) -> Void = { _ in }
    ) {
        self.options = options
        self.onStatus = onStatus
        directory = NSTemporaryDirectory() + "\(Self.prefix)\(getpid())-\(UUID().uuidString)"
    }

    /// The directory's name goes on with the process that made it.
    private static let prefix = "millrace-nginx-"

    /// Removes the directories of runs that were killed: their owner is gone.
    static func sweepStaleDirectories(in parent: String = NSTemporaryDirectory()) {
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: parent)) ?? []
        where name.hasPrefix(prefix) {
            guard let owner = name.dropFirst(prefix.count).split(separator: "-").first,
                let pid = pid_t(String(owner)), pid > 0, kill(pid, 0) != 0, errno == ESRCH
            else { continue }
            try? files.removeItem(atPath: "\(parent)/\(name)")
        }
    }

    public func start() async throws(StackError) -> StackEndpoints {
        for path in [options.nginxPath, options.modulePath]
        where !FileManager.default.fileExists(atPath: path) {
            throw failure(
                "\(path) is missing; install it with: apt-get install nginx libnginx-mod-rtmp")
        }
        let configuration: NginxConfiguration
        do { configuration = try options.configuration() } catch {
            throw failure(error.description)
        }
        var last = ""
        // A port is free when picked; another program may take it before nginx does.
        for _ in 0..<3 {
            guard let port = LocalPort.free(), let httpPort = LocalPort.free(), httpPort != port
            else { throw failure("no free TCP port") }
            try write(configuration.text(port: port, httpPort: httpPort, directory: directory))
            let child = try launch(configuration)
            process = child
            let ports = configuration.hls == nil ? [port] : [port, httpPort]
            for _ in 0..<250 where child.exitStatus == nil {
                if ports.allSatisfy({ LocalPort.accepts(host: "127.0.0.1", port: $0) }),
                    child.exitStatus == nil
                {
                    watch(child)
                    return endpoints(configuration, port: port, httpPort: httpPort)
                }
                try? await Task.sleep(for: .milliseconds(20))
            }
            last = child.exitStatus.map { "it \($0)" } ?? "it did not listen within 5 s"
            _ = await child.terminate()
        }
        let log = ProcFile.read("\(directory)/error.log").map { ": " + $0.suffix(500) } ?? ""
        await stop()
        throw failure("cannot be started; \(last)\(log)")
    }

    private func endpoints(
        _ configuration: NginxConfiguration, port: Int, httpPort: Int
    ) -> StackEndpoints {
        var endpoints = StackEndpoints(
            rtmpHost: "127.0.0.1", rtmpPort: port, application: NginxConfiguration.application,
            hlsURL: configuration.hls == nil
                ? nil
                : "http://127.0.0.1:\(httpPort)/\(NginxConfiguration.hlsFolder)/{stream}.m3u8")
        if configuration.ladder != nil {
            endpoints.sourceApplication = NginxConfiguration.sourceApplication
        }
        return endpoints
    }

    /// Reports the encoders until nginx ends.
    private func watch(_ child: ChildProcess) {
        guard let ladder = options.ladder else { return }
        var encoders = NginxEncoders(
            ladder, streams: options.sources, packages: options.hls != nil, directory: directory)
        let (onStatus, group) = (onStatus, child.pid)
        watching = Task {
            while !Task.isCancelled, child.exitStatus == nil {
                onStatus(encoders.status(processGroup: group))
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    public var processGroups: [Int32] { process.map { [$0.pid] } ?? [] }

    public var exitStatus: ExitStatus? { process?.exitStatus }

    public func stop() async {
        watching?.cancel()
        await stopEncoders()
        if let process { _ = await process.terminate() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// How long encoders may take to end once told to.
    private static let encoderGrace = Duration.seconds(2)

    /// Ends the encoders while their parent is there to reap them; nginx would start them again only
    /// later.
    private func stopEncoders() async {
        guard options.ladder != nil, let process, process.exitStatus == nil else { return }
        let encoders = NginxEncoders.processes(ofGroup: process.pid)
        for pid in encoders { kill(pid, SIGTERM) }
        let deadline = ContinuousClock.now + Self.encoderGrace
        while ContinuousClock.now < deadline, encoders.contains(where: { kill($0, 0) == 0 }) {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func launch(_ configuration: NginxConfiguration) throws(StackError) -> ChildProcess {
        var child = ChildProcess.Options(
            path: options.nginxPath,
            arguments: [
                "-p", directory, "-c", "\(directory)/nginx.conf", "-e", "\(directory)/error.log",
            ], logPath: options.logPath, cpus: options.cpus)
        child.guardsGroup = configuration.hasChildren
        do {
            return try ChildProcess(name: name, child)
        } catch {
            throw failure(error.message)
        }
    }

    private func write(_ configuration: String) throws(StackError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
            try configuration.write(
                toFile: "\(directory)/nginx.conf", atomically: true, encoding: .utf8)
        } catch {
            throw failure("cannot write its configuration in \(directory): \(error)")
        }
    }

    private func failure(_ message: String) -> StackError {
        StackError(driver: name, message: message)
    }
}
