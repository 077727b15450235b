import Foundation
import Glibc
package import Processes

/// One run of a program.
package struct ComparisonRun: Sendable, Hashable {
    /// Path of a millrace program.
    package var program: String
    /// Path of the scenario.
    package var scenario: String
    /// Folder into which the program makes its results directory, and which gets `run.log`.
    package var folder: String
    /// Longest time that the run may take before it is ended.
    package var limit: Duration
}

/// What became of a run.
package struct ComparisonRunEnd: Sendable, Hashable {
    package var status: ExitStatus
    /// Results directory that the run left; nil if there is none.
    package var directory: String?
    /// Whether the run was ended because it took longer than its limit.
    package var isLate = false
    /// Last words of the run on its standard error; empty if there are none.
    package var words = ""

    package init(status: ExitStatus, directory: String?) {
        self.status = status
        self.directory = directory
    }
}

/// Runs the trials of a comparison.
package protocol ComparisonTrialRunning: Sendable {
    /// Runs one program to its end.
    ///
    /// - Returns: nil if the run was interrupted.
    /// - Throws: `ComparisonFault` if the program cannot be started.
    func run(_ run: ComparisonRun) async throws(ComparisonFault) -> ComparisonRunEnd?

    /// Ends the run that is going on, and every later one at its start.
    func interrupt() async
}

/// Runs each trial as a child process. A child leads a process group of its own, so that Ctrl-C on
/// the terminal reaches only this process, which then ends the child in order.
package actor ComparisonTrials: ComparisonTrialRunning {
    /// Time that a run has to stop its children and to write its results after SIGTERM.
    private static let grace = Duration.seconds(20)
    private static let logName = "run.log"

    private var child: ChildProcess?
    private var isInterrupted = false
    private var isLate = false

    package init() {}

    package func interrupt() async {
        isInterrupted = true
        _ = await child?.terminate(grace: Self.grace)
    }

    package func run(_ run: ComparisonRun) async throws(ComparisonFault) -> ComparisonRunEnd? {
        guard !isInterrupted else { return nil }
        let log = "\(run.folder)/\(Self.logName)"
        let child: ChildProcess
        do {
            try FileManager.default.createDirectory(
                atPath: run.folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
            child = try ChildProcess(
                name: run.program,
                .init(
                    path: run.program,
                    arguments: ["run", run.scenario, "--results", run.folder, "--quiet"],
                    logPath: log))
        } catch {
            throw ComparisonFault("\(error)")
        }
        self.child = child
        isLate = false
        child.closeInput()
        Self.discardOutput(of: child)
        let watch = Task {
            try await Task.sleep(for: run.limit)
            await self.expire(child)
        }
        let status = await child.wait()
        watch.cancel()
        self.child = nil
        guard !isInterrupted else { return nil }
        var end = ComparisonRunEnd(status: status, directory: Self.directory(in: run.folder))
        end.isLate = isLate
        end.words = Self.lastLine(of: log)
        return end
    }

    private func expire(_ child: ChildProcess) async {
        guard child.exitStatus == nil else { return }
        isLate = true
        _ = await child.terminate(grace: Self.grace)
    }

    /// Reads the summary that a run prints and forgets it, because the results directory has it.
    private static func discardOutput(of child: ChildProcess) {
        guard let descriptor = child.takeOutput() else { return }
        let thread = Thread {
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let n = chunk.withUnsafeMutableBytes {
                    read(descriptor, $0.baseAddress, $0.count)
                }
                if n < 0, errno == EINTR { continue }
                if n <= 0 { break }
            }
            close(descriptor)
        }
        thread.start()
    }

    /// Finds the results directory that a run left. Directories with a hidden name are not complete.
    static func directory(in folder: String) -> String? {
        let files = FileManager.default
        let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
        let found = names.sorted().last { name in
            !name.hasPrefix(".") && files.fileExists(atPath: "\(folder)/\(name)/summary.json")
        }
        return found.map { "\(folder)/\($0)" }
    }

    /// Reads the last line of a log, at most 400 characters of it.
    static func lastLine(of path: String) -> String {
        guard let file = FileHandle(forReadingAtPath: path) else { return "" }
        defer { try? file.close() }
        let size = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: size > 4096 ? size - 4096 : 0)
        let data = (try? file.read(upToCount: 4096)) ?? Data()
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        return String((lines.last ?? "").prefix(400))
    }
}
