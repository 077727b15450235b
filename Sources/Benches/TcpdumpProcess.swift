import Processes
import Workers

/// A tcpdump that captures what the live capture captures.
struct TcpdumpProcess: Sendable {
    let process: ChildProcess
    private let logPath: String

    private init(_ process: ChildProcess, logPath: String) {
        self.process = process
        self.logPath = logPath
    }

    /// Starts tcpdump and waits until it captures.
    ///
    /// - Parameter path: Path of the program.
    /// - Throws: `ProcessError` or `BenchError` with tcpdump's own words.
    static func start(
        _ path: String, _ options: CaptureBench.Options, cpus: CPUSet?, directory: String
    ) async throws -> TcpdumpProcess {
        let log = "\(directory)/tcpdump.log"
        let file = options.keepsPackets ? "\(directory)/tcpdump.pcap" : "/dev/null"
        // tcpdump takes the size of its ring in KiB. It stays root, because the folder is root's.
        let arguments = [
            "-i", "lo", "-n", "-s", "\(options.snapLength)", "-B", "\(options.ringBytes >> 10)",
            "-Z", "root", "-w", file, CaptureRole.filter(serverPorts: [LoopbackFrames.serverPort]),
        ]
        let process = try ChildProcess(
            name: CaptureBench.peer,
            ChildProcess.Options(path: path, arguments: arguments, logPath: log, cpus: cpus))
        let result = TcpdumpProcess(process, logPath: log)
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if result.log.contains("listening on") { return result }
            if let ended = process.exitStatus {
                throw BenchError("tcpdump \(ended): \(result.log)")
            }
            do {
                try await Task.sleep(for: .milliseconds(20))
            } catch {
                break
            }
        }
        _ = await process.terminate()
        throw BenchError("tcpdump did not begin within 10 s: \(result.log)")
    }

    /// Ends tcpdump.
    ///
    /// - Returns: Number of packets captured, and number that the kernel dropped.
    /// - Throws: `BenchError` if tcpdump does not tell.
    func stop() async throws -> (seen: Int, dropped: Int) {
        let ended = await process.terminate(grace: .seconds(10))
        guard let seen = Self.count(" captured", in: log),
            let dropped = Self.count(" dropped by kernel", in: log)
        else { throw BenchError("tcpdump \(ended) without its counts: \(log)") }
        return (seen, dropped)
    }

    private var log: String { ProcFile.read(logPath) ?? "" }

    /// Returns the number at the beginning of the line that ends so, as in `12 packets captured`.
    static func count(_ ending: String, in log: String) -> Int? {
        for line in log.split(separator: "\n") where line.hasSuffix(ending) {
            return line.split(separator: " ").first.flatMap { Int($0) }
        }
        return nil
    }
}
