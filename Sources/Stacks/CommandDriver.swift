import HTTPFetch
import HTTPWire
import NIOPosix
import Foundation
import Glibc
package import Processes
package import Scenario
import SimulationKernel
import Sockets

/// A server that a command line starts, with all processes that it starts in turn.
package actor CommandDriver: StackDriver {
    package nonisolated let name: String

    /// Command, files and addresses of a server. Texts may hold placeholders.
    package struct Options: Sendable {
        /// Name of the driver.
        package var driver = "command"
        /// Program and arguments.
        package var command: [String]
        package var files: [NamedText] = []
        package var environment: [NamedText] = []
        package var readiness = ServerReadiness()
        package var url = ServerPlaceholder.standardURL
        package var httpURL: String?
        package var hlsURL: String?
        /// Address on which the server is to listen.
        package var host = "127.0.0.1"
        /// Number of threads or worker processes, for servers that are told it.
        package var threads = 1
        package var cpus: CPUSet?
        /// Directory of the run, in which the server gets a directory of its own.
        package var runDirectory: String
        /// Whether the server's directory remains.
        package var keepsDirectory = false
        /// Whether the server's directory is its working directory; otherwise the runner's is.
        package var startsInDirectory = false
        /// Text that says how to mend a missing program.
        package var hint = "install it, or give its path in stack.command"

        package init(command: [String], runDirectory: String) {
            self.command = command
            self.runDirectory = runDirectory
        }
    }

    /// Time that the server's processes may take to end after SIGTERM.
    static let grace = Duration.seconds(5)
    /// Number of starts, if other programs take the ports first.
    private static let attempts = 3

    private let options: Options
    private var process: ChildProcess?
    private var output: ServerOutput?
    private var directory: ServerDirectory?
    private var isCancelled = false

    package init(_ options: Options) {
        self.options = options
        name = options.driver
    }

    private func failure(_ message: String) -> StackError {
        StackError(driver: name, message: message)
    }

    package func start() async throws(StackError) -> StackEndpoints {
        for _ in 0..<Self.attempts {
            guard let rtmpPort = LocalPort.free(), let httpPort = LocalPort.free(),
                rtmpPort != httpPort
            else { continue }
            var values: [ServerPlaceholder: String] = [
                .rtmpPort: "\(rtmpPort)", .httpPort: "\(httpPort)", .host: options.host,
                .threads: "\(options.threads)",
            ]
            let program = try findProgram(values)
            try prepareFiles(&values)
            let endpoints = try makeEndpoints(values)
            try launch(program, values)
            guard let fault = await waitUntilReady(endpoints, values) else { return endpoints }
            let hasEnded = process?.exitStatus != nil
            await stopProcesses()
            // The error tells how the server ended, and this end is none of a run.
            process = nil
            await output?.settle()
            let words = output?.lastWords ?? ""
            // A port is free when it is chosen; another program may take it before the server does.
            let isTaken = [rtmpPort, httpPort].contains {
                LocalPort.accepts(host: "127.0.0.1", port: $0)
            }
            if hasEnded, isTaken { continue }
            removeDirectory()
            throw failure(
                fault + (words.isEmpty ? "; it wrote nothing" : "; its last words: \(words)"))
        }
        removeDirectory()
        throw failure("no two TCP ports stayed free for the server; start the run again")
    }

    /// Returns the absolute path of the program.
    private func findProgram(_ values: [ServerPlaceholder: String]) throws(StackError) -> String {
        let word = ServerPlaceholder.fill(options.command.first ?? "", with: values)
        switch Program.search(word) {
        case .found(let path):
            return ServerDirectory.absolute(path)
        case .notExecutable: throw failure("'\(word)' may not be executed; chmod +x it")
        case .missing: throw failure("there is no program '\(word)'; \(options.hint)")
        }
    }

    private func prepareFiles(_ values: inout [ServerPlaceholder: String]) throws(StackError) {
        do throws(ProcessError) {
            // The files name the directory, whose path is known before it is made.
            let folder = options.keepsDirectory ? ServerFolder.kept : ServerFolder.passing
            let empty = try ServerDirectory(
                below: options.runDirectory, name: folder, files: [], owner: name)
            values[.directory] = empty.path
            let filled = values
            directory = try ServerDirectory(
                below: options.runDirectory, name: folder,
                files: options.files.map {
                    (name: $0.name, text: ServerPlaceholder.fill($0.text, with: filled))
                }, owner: name)
        } catch {
            throw failure(error.message)
        }
    }

    private func makeEndpoints(
        _ values: [ServerPlaceholder: String]
    ) throws(StackError) -> StackEndpoints {
        try StackEndpoints(
            url: ServerPlaceholder.fill(options.url, with: values),
            httpURL: options.httpURL.map { ServerPlaceholder.fill($0, with: values) },
            hlsURL: options.hlsURL.map { ServerPlaceholder.fill($0, with: values) },
            trust: TLSTrust(), driver: name)
    }

    private func launch(
        _ program: String, _ values: [ServerPlaceholder: String]
    ) throws(StackError) {
        var environment = ProcessInfo.processInfo.environment
        for entry in options.environment {
            environment[entry.name] = ServerPlaceholder.fill(entry.text, with: values)
        }
        var child = ChildProcess.Options(
            path: program,
            arguments: options.command.dropFirst().map {
                ServerPlaceholder.fill($0, with: values)
            }, environment: environment, cpus: options.cpus)
        child.isWorker = true
        child.mergesOutput = true
        child.treeGrace = Self.grace
        child.directory = options.startsInDirectory ? directory?.path : nil
        do throws(ProcessError) {
            let process = try ChildProcess(name: name, child)
            self.process = process
            output = process.takeOutput().map {
                ServerOutput($0, logPath: "\(options.runDirectory)/server-0.log")
            }
        } catch {
            removeDirectory()
            throw failure(error.message)
        }
    }

    /// Waits for the sign of a server that takes connections.
    ///
    /// - Returns: What went wrong; nil if the server is ready.
    private func waitUntilReady(
        _ endpoints: StackEndpoints, _ values: [ServerPlaceholder: String]
    ) async -> String? {
        let readiness = options.readiness
        let deadline = ContinuousClock.now + readiness.within
        var last = ""
        repeat {
            if let status = process?.exitStatus { return "it \(status) before it was ready" }
            if isCancelled { return "the run was interrupted before the server was ready" }
            if let missing = await missingSign(readiness, endpoints, values) {
                last = missing
            } else if process?.exitStatus == nil {
                return nil
            }
            try? await Task.sleep(for: .milliseconds(20))
        } while ContinuousClock.now < deadline
        return
            "it was not ready within \(Quantity.duration.format(Double(readiness.within.nanoseconds))): "
            + "\(last). Check that the command takes its port, or give it more time with "
            + "stack.ready: {within: 60s}"
    }

    /// Returns what is missing for the server to be ready; nil if it is.
    private func missingSign(
        _ readiness: ServerReadiness, _ endpoints: StackEndpoints,
        _ values: [ServerPlaceholder: String]
    ) async -> String? {
        if let text = readiness.url {
            let filled = ServerPlaceholder.fill(text, with: values)
            do {
                let getter = try HTTPGetter(
                    HTTPURL(filled), group: MultiThreadedEventLoopGroup.singleton,
                    trust: TLSTrust(), bodyLimit: 1 << 20)
                let answer = try await getter.get(filled, timeout: .seconds(1))
                return answer.head.isSuccess
                    ? nil : "\(answer.url) answers with status \(answer.head.status)"
            } catch {
                return "\(error)"
            }
        }
        let port =
            switch readiness.port {
            case .rtmp: Int(values[.rtmpPort] ?? "") ?? 0
            case .http: Int(values[.httpPort] ?? "") ?? 0
            case .number(let number): number
            case nil: endpoints.rtmpPort
            }
        let host = readiness.port == nil ? endpoints.rtmpHost : "127.0.0.1"
        return LocalPort.accepts(host: host, port: port)
            ? nil : "nothing listens on \(host):\(port)"
    }

    package func cancelStart() { isCancelled = true }

    package var processGroups: [Int32] { [] }

    package var processes: [ProcessIdentity] {
        guard let process, process.exitStatus == nil else { return [] }
        return ProcessIdentity.descendants(of: process.pid)
    }

    package var exitStatus: ExitStatus? { process?.exitStatus }

    package var notes: [String] {
        var notes = [output?.note].compactMap(\.self)
        if process?.exitStatus != nil, let words = output?.lastWords, !words.isEmpty {
            notes.append("the server's last words: \(words)")
        }
        return notes
    }

    package func stop() async {
        await stopProcesses()
        await output?.settle()
        removeDirectory()
    }

    /// Ends all processes of the server. The keeper kills those that outlast the grace.
    private func stopProcesses() async {
        _ = await process?.terminate(grace: Self.grace + .seconds(15))
    }

    private func removeDirectory() {
        if !options.keepsDirectory { directory?.remove() }
    }
}
