import Glibc
package import Processes
package import Server

/// nginx with the RTMP module and a configuration of its own in a temporary directory. nginx is the
/// relay and, if the scenario asks for it, starts ffmpeg encoders (`exec_push`) and packages HLS.
package actor NginxRTMPDriver: StackDriver {
    package nonisolated let name = "nginx-rtmp"

    /// Settings of the scenario for the server.
    package struct Options: Sendable {
        /// Address on which nginx listens.
        package var host: String
        package var workers: Int
        /// Size of outgoing chunks in bytes.
        package var outChunkSize: Int
        package var cpus: CPUSet?
        package var logPath: String?
        package var nginxPath: String
        package var modulePath: String
        /// URLs of the servers to which each stream is pushed under its own name.
        var pushes: [String] = []
        /// Settings of nginx's own HLS packager; nil if nginx packages nothing.
        var hls: NginxConfiguration.HLS?
        /// Ladder of the encoders, and the streams that are encoded.
        var ladder: LadderConfiguration?
        var sources: [String] = []

        package init(
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

        func configuration() throws(LadderConfigurationError) -> NginxConfiguration {
            var configuration = NginxConfiguration(modulePath: modulePath)
            configuration.host = host
            configuration.workers = workers
            configuration.outChunkSize = outChunkSize
            configuration.hls = hls
            configuration.pushes = pushes
            guard let ladder else { return configuration }
            configuration.ladder = ladder
            configuration.ffmpegPath = try FFmpegProgram.path(ladder.ffmpegPath)
            return configuration
        }
    }

    private let options: Options
    private var nginx: NginxProcess?
    private let onStatus: @Sendable (ServerStatus) -> Void
    private var watching: Task<Void, Never>?

    /// - Parameter onStatus: Function that gets the state of the encoders once a second, if there
    ///   are any.
    package init(
        _ options: Options = Options(),
        onStatus: @escaping @Sendable (ServerStatus) -> Void = { _ in }
    ) {
        self.options = options
        self.onStatus = onStatus
    }

    package func start() async throws(StackError) -> StackEndpoints {
        do {
            let configuration = try options.configuration()
            let nginx = try await NginxProcess(
                .init(
                    name: name, path: options.nginxPath, files: [options.modulePath],
                    hint: "install it with: apt-get install nginx libnginx-mod-rtmp",
                    ports: configuration.hls == nil ? [nil] : [nil, nil],
                    guardsGroup: configuration.hasChildren, cpus: options.cpus,
                    logPath: options.logPath)
            ) { ports, directory in
                configuration.text(port: ports[0], httpPort: ports.last!, directory: directory)
            }
            self.nginx = nginx
            watch(nginx)
            return endpoints(configuration, port: nginx.ports[0], httpPort: nginx.ports.last!)
        } catch let error as ProcessError {
            throw StackError(driver: name, message: error.message)
        } catch {
            throw StackError(driver: name, message: "\(error)")
        }
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
    private func watch(_ nginx: NginxProcess) {
        guard let ladder = options.ladder else { return }
        var encoders = NginxEncoders(
            ladder, streams: options.sources, packages: options.hls != nil,
            work: NginxDirectory.work(nginx.directory))
        let (onStatus, child) = (onStatus, nginx.process)
        watching = Task {
            while !Task.isCancelled, child.exitStatus == nil {
                onStatus(encoders.status(processGroup: child.pid))
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    package var processGroups: [Int32] { nginx.map { [$0.process.pid] } ?? [] }

    package var exitStatus: ExitStatus? { nginx?.process.exitStatus }

    package func stop() async {
        watching?.cancel()
        await stopEncoders()
        await nginx?.end()
        nginx?.removeFiles()
    }

    /// Longest time that encoders may take to end once they have been told to.
    private static let encoderGrace = Duration.seconds(2)

    /// Ends the encoders while their parent still runs and reaps them. nginx would start them again
    /// only later.
    private func stopEncoders() async {
        guard options.ladder != nil, let process = nginx?.process, process.exitStatus == nil else {
            return
        }
        let encoders = NginxEncoders.processes(ofGroup: process.pid)
        for pid in encoders { kill(pid, SIGTERM) }
        let deadline = ContinuousClock.now + Self.encoderGrace
        while ContinuousClock.now < deadline, encoders.contains(where: { kill($0, 0) == 0 }) {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
