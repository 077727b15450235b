public import Processes
import Foundation
import Glibc
import Sockets

/// nginx with the RTMP module, with a configuration of its own in a temporary directory.
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
    }

    private let options: Options
    private let directory: String
    private var process: ChildProcess?

    public init(_ options: Options = Options()) {
        self.options = options
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
        var last = ""
        // The port is free when picked; another program may take it before nginx does.
        for _ in 0..<3 {
            guard let port = LocalPort.free() else { throw failure("no free TCP port") }
            try writeConfiguration(port: port)
            let child = try launch()
            process = child
            for _ in 0..<250 where child.exitStatus == nil {
                if LocalPort.accepts(host: "127.0.0.1", port: port), child.exitStatus == nil {
                    return StackEndpoints(
                        rtmpHost: "127.0.0.1", rtmpPort: port, application: "live")
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

    public var processGroups: [Int32] { process.map { [$0.pid] } ?? [] }

    public var exitStatus: ExitStatus? { process?.exitStatus }

    public func stop() async {
        if let process { _ = await process.terminate() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func launch() throws(StackError) -> ChildProcess {
        var child = ChildProcess.Options(
            path: options.nginxPath,
            arguments: [
                "-p", directory, "-c", "\(directory)/nginx.conf", "-e", "\(directory)/error.log",
            ], logPath: options.logPath, cpus: options.cpus)
        child.guardsGroup = options.workers > 1
        do {
            return try ChildProcess(name: name, child)
        } catch {
            throw failure(error.message)
        }
    }

    private func writeConfiguration(port: Int) throws(StackError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
            try Self.configuration(options, port: port, directory: directory)
                .write(toFile: "\(directory)/nginx.conf", atomically: true, encoding: .utf8)
        } catch {
            throw failure("cannot write its configuration in \(directory): \(error)")
        }
    }

    /// One worker runs without a master, as a single process that dies with the runner; several need `rtmp_auto_push`, which
    /// relays between them over Unix sockets.
    static func configuration(_ options: Options, port: Int, directory: String) -> String {
        let push =
            options.workers > 1
            ? "rtmp_auto_push on;\nrtmp_socket_dir \(directory);\n" : ""
        return """
            daemon off;
            master_process \(options.workers > 1 ? "on" : "off");
            worker_processes \(options.workers);
            \(getuid() == 0 ? "user root;" : "")
            pid \(directory)/nginx.pid;
            error_log \(directory)/error.log warn;
            load_module \(options.modulePath);
            \(push)worker_rlimit_nofile 65536;
            events { worker_connections 32768; }
            rtmp {
                access_log off;
                server {
                    listen \(options.host):\(port);
                    chunk_size \(options.outChunkSize);
                    application live {
                        live on;
                        wait_key on;
                        drop_idle_publisher 30s;
                    }
                }
            }

            """
    }

    private func failure(_ message: String) -> StackError {
        StackError(driver: name, message: message)
    }
}
