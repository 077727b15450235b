import Foundation
import Glibc
import Processes
import Results
import TestSupport
import Testing

@testable import Trials

/// One `millrace run` of a small scenario.
final class TrialProcess {
    static let scenario = """
        version: 1
        name: fault
        stack:
          driver: embedded
        streams:
          - name: live
            renditions:
              - name: small
                source:
                  synthetic:
                    width: 160
                    height: 90
                    fps: 15
                    gop: 1s
                    bitrate: 200kbps
        viewers:
          - protocol: rtmp
            count: 4
            probes: 25%
          - protocol: http-flv
            count: 2
        warmup: 1s
        duration: 3s
        drain: 500ms
        capture:
          enabled: false
        # Whether a busy machine voids a run is not what these tests ask.
        validity:
          generator_lag_p99: 10s
          viewer_lag_p99: 10s
          steal: 100%
          offered: 0%
          clock_step: 1h
          link_lateness_p99: 10s
          capture_drops: 100%

        """

    let results: String
    let directory: String
    private let process = Process()
    private let log: String
    private var ended = false

    var pid: pid_t { process.processIdentifier }

    /// - Parameters:
    ///   - viewers: YAML of the viewers; nil = the scenario's.
    ///   - stack: More keys of the stack, each on its own line.
    ///   - script: Shell script that starts the run in its own mount namespace. Its arguments are
    ///     the command of the run, and `$0` is the test's directory.
    ///   - duration: Length of the steady window. It is long if a test ends the run itself, so that
    ///     the run does not end first on a busy machine.
    ///   - scenario: YAML of the whole scenario.
    ///   - options: More options of the command.
    init(
        results: String? = nil, capture: String = "false", viewers: String? = nil,
        stack: String = "", script: String? = nil, duration: String = "3s",
        scenario: String = TrialProcess.scenario, options: [String] = []
    ) throws {
        let files = FileManager.default
        directory =
            files.temporaryDirectory
            .appendingPathComponent("millrace-fault-\(UUID().uuidString)").path
        self.results = results ?? "\(directory)/results"
        log = "\(directory)/log"
        try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var text = scenario.replacing("enabled: false", with: "enabled: \(capture)")
        text = text.replacing("duration: 3s", with: "duration: \(duration)")
        text = text.replacing("driver: embedded\n", with: "driver: embedded\n" + stack)
        if let viewers, let start = text.range(of: "viewers:\n"),
            let end = text.range(of: "warmup:")
        {
            text.replaceSubrange(start.upperBound..<end.lowerBound, with: viewers)
        }
        try text.write(toFile: "\(directory)/fault.yml", atomically: true, encoding: .utf8)
        _ = files.createFile(atPath: log, contents: nil)
        var command =
            [
                try #require(Programs.millrace), "run", "\(directory)/fault.yml", "--results",
                self.results,
            ] + options
        if let script {
            command = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, directory] + command
        }
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    func remove() {
        if process.isRunning { kill(pid, SIGKILL) }
        try? FileManager.default.removeItem(atPath: directory)
    }

    var text: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// Waits for `count` children, and returns their process IDs by role.
    func waitForChildren(_ count: Int = 4) async throws -> [String: pid_t] {
        var children: [String: pid_t] = [:]
        try await eventually("\(count) children") {
            try #require(process.isRunning, "\(text)")
            children = Self.children(of: pid)
            return children.count == count
        }
        return children
    }

    /// Waits for a child with that name, and returns the process ID of the first one.
    func waitForChild(named name: String) async throws -> pid_t {
        try await eventually("a child \(name)") {
            try #require(process.isRunning, "\(text)")
            return !children(named: name).isEmpty
        }
        return try #require(children(named: name).first)
    }

    /// Returns the process IDs of children with a worker's role or a program's name `name`.
    func children(named name: String) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter {
            guard ProcFile.statFields(pid: $0)?.dropFirst().first == "\(pid)" else { return false }
            let command = (ProcFile.read("/proc/\($0)/cmdline") ?? "").split(separator: "\0")
            return command.count >= 3 && command[1] == "worker"
                ? command[2] == name : ProcFile.read("/proc/\($0)/comm") == "\(name)\n"
        }
    }

    /// Kills the first child of that name and its successors, until `times` of them were killed.
    func killChildren(named name: String, times: Int) async throws -> [pid_t] {
        var seen = Set(children(named: name))
        var victims = [try #require(seen.min())]
        #expect(kill(victims[0], SIGKILL) == 0)
        while victims.count < times {
            try await eventually("\(name) is there again") {
                try #require(process.isRunning, "\(text)")
                guard let next = children(named: name).first(where: { seen.insert($0).inserted })
                else { return false }
                victims.append(next)
                return kill(next, SIGKILL) == 0
            }
        }
        return victims
    }

    private static func children(of parent: pid_t) -> [String: pid_t] {
        var found: [String: pid_t] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = pid_t(name), let stat = ProcFile.read("/proc/\(pid)/stat"),
                let end = stat.lastIndex(of: ")")
            else { continue }
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            guard fields.count > 1, pid_t(fields[1]) == parent else { continue }
            let command = (ProcFile.read("/proc/\(pid)/cmdline") ?? "").split(separator: "\0")
            if command.count >= 3, command[1] == "worker" { found[String(command[2])] = pid }
        }
        return found
    }

    /// Waits until the run has begun and `warmup` has passed since then.
    func waitUntilRunning(warmup: Duration = .milliseconds(1800)) async throws {
        try await eventually("the run is on") {
            try #require(process.isRunning, "\(text)")
            return text.contains("playing")
        }
        // The warm-up of the scenario is one second of the shared clock, unless it gives another.
        let mark = ContinuousClock.now + warmup
        try await eventually("the window has begun") { ContinuousClock.now > mark }
    }

    /// Waits until the interim results hold a delay.
    func waitForInterimDelay() async throws {
        try await eventually("interim results") {
            try #require(process.isRunning, "\(text)")
            return try partials().contains { name in
                let rows = try? String(
                    contentsOfFile: "\(results)/\(name)/delay.csv", encoding: .utf8)
                return (rows ?? "").split(separator: "\n").count > 1
            }
        }
    }

    /// Waits until the interim results contain each of these texts, as a note or as a reason.
    func waitForInterimNotes(_ words: [String]) async throws {
        try await eventually("the notes tell of \(words)") {
            try #require(process.isRunning, "\(text)")
            let all = try partials().flatMap { name in
                ["summary.json", "manifest.json"].compactMap {
                    try? String(contentsOfFile: "\(results)/\(name)/\($0)", encoding: .utf8)
                }
            }
            return words.allSatisfy { word in all.contains { $0.contains(word) } }
        }
    }

    func interrupt(_ signal: Int32 = SIGINT) -> Bool { kill(pid, signal) == 0 }

    /// Waits for the end, and returns the exit code, or the negative number of the signal.
    func finish() async throws -> Int32 {
        try await eventually("the run ends") { !process.isRunning }
        return process.terminationReason == .exit
            ? process.terminationStatus : -process.terminationStatus
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: results)
    }

    func directories() throws -> [String] { try names().filter { !$0.hasPrefix(".") } }
    func partials() throws -> [String] { try names().filter { $0.hasSuffix(".partial") } }

    private func only() throws -> String {
        let all = try directories()
        try #require(all.count == 1, "\(text)")
        return "\(results)/\(all[0])"
    }

    func summary() throws -> Summary { try RunResults(path: only()).summary }
    func manifest() throws -> Manifest { try RunResults(path: only()).manifest }
    func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: only()) }

    func lines(_ name: String) throws -> Int {
        try String(contentsOfFile: "\(only())/\(name)", encoding: .utf8).split(separator: "\n")
            .count
    }

    /// Checks that no file with a temporary name is left.
    func expectTidy() throws {
        #expect(try partials().isEmpty)
        let walk = try #require(FileManager.default.enumerator(atPath: results))
        for case let path as String in walk {
            let name = path.split(separator: "/").last ?? ""
            #expect(
                !name.hasSuffix(".tmp") && !name.contains(".partial") && name != ".owner", "\(path)"
            )
        }
    }

    /// Waits until the processes have ended. Zombies count as ended, because another process has to
    /// reap them.
    func expectGone(_ pids: [pid_t]) async throws {
        try await eventually("\(pids) are gone") {
            pids.allSatisfy { pid in
                guard let stat = ProcFile.read("/proc/\(pid)/stat"),
                    let end = stat.lastIndex(of: ")")
                else { return true }
                return stat[stat.index(after: end)...].split(separator: " ").first == "Z"
            }
        }
    }
}
