import Foundation
import Glibc
import Results
import Testing

@testable import Harness

/// What becomes of a run whose parts are killed, from outside: the program itself.
@Suite(.enabled(if: TrialFault.program != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct TrialFaultTests {
    @Test func passes() async throws {
        let trial = try TrialFault()
        defer { trial.remove() }
        #expect(try await trial.finish() == 0)
        let summary = try trial.summary()
        #expect(summary.outcome == .passed)
        #expect(summary.viewersJoined == 6)
        #expect(try trial.manifest().validity.valid)
        try trial.expectTidy()
    }

    /// The server's end is a verdict on the server, a generator's end none.
    @Test(
        arguments: [
            ("server", 99, Summary.Outcome.failed), ("publishers", 97, .void),
            ("viewers", 97, .void), ("probes", 97, .void),
        ] as [(String, Int32, Summary.Outcome)])
    func killedChild(role: String, code: Int32, outcome: Summary.Outcome) async throws {
        let trial = try TrialFault(duration: "60s")
        defer { trial.remove() }
        let children = try await trial.waitForChildren()
        try await trial.waitUntilRunning()
        #expect(kill(try #require(children[role]), SIGKILL) == 0)
        #expect(try await trial.finish() == code)
        let summary = try trial.summary()
        #expect(summary.outcome == outcome)
        let said = summary.notes + (try trial.manifest().validity.reasons)
        #expect(
            said.contains { $0.contains("killed by signal 9") && $0.contains(role.prefix(5)) },
            "\(said)")
        // What was measured until then is there.
        let files = try trial.files()
        for name in ["renditions.csv", "viewers.csv", "processes.csv", "report.html"] {
            #expect(files.contains(name))
        }
        #expect(try trial.lines("processes.csv") > 1)
        try trial.expectTidy()
        try await trial.expectGone(Array(children.values))
    }

    /// A capture that was asked for is part of the trial; one that was taken where it could be had
    /// is not, but its end is told.
    @Test(
        .enabled(if: geteuid() == 0, "only root captures"),
        arguments: [("true", 97), ("auto", 0)] as [(String, Int32)])
    func killedCapture(mode: String, code: Int32) async throws {
        let trial = try TrialFault(capture: mode)
        defer { trial.remove() }
        let children = try await trial.waitForChildren(5)
        try await trial.waitUntilRunning()
        #expect(kill(try #require(children["capture"]), SIGKILL) == 0)
        let ended = try await trial.finish()
        let reasons = try trial.manifest().validity.reasons
        #expect(ended == code, "\(reasons)")
        let notes = try trial.summary().notes
        #expect(notes.contains { $0.contains("killed by signal 9") }, "\(notes)")
        try trial.expectTidy()
    }

    /// Nobody outlives the runner; the next run gives the directory its name.
    @Test func killedRunner() async throws {
        let trial = try TrialFault(duration: "60s")
        defer { trial.remove() }
        let children = try await trial.waitForChildren()
        try await trial.waitUntilRunning()
        try await trial.waitForInterimDelay()
        #expect(kill(trial.pid, SIGKILL) == 0)
        _ = try await trial.finish()
        try await trial.expectGone(Array(children.values))
        #expect(try trial.directories().isEmpty)
        #expect(try trial.partials().count == 1)
        let next = try TrialFault(results: trial.results)
        _ = try await next.waitForChildren()
        #expect(next.interrupt())
        #expect(try await next.finish() == 105)
        #expect(try trial.directories().count == 2)
        for directory in try trial.directories() {
            let read = try RunResults(path: "\(trial.results)/\(directory)")
            #expect(read.summary.outcome == .interrupted)
        }
        // What was measured until then is there: the runs' names are in the order of their starts.
        let first = try #require(try trial.directories().sorted().first)
        let read = try RunResults(path: "\(trial.results)/\(first)")
        #expect(read.delay.contains { ($0.count ?? 0) > 0 })
        #expect(!read.processes.isEmpty && !read.renditions.isEmpty)
        #expect(read.summary.viewersJoined > 0)
        try trial.expectTidy()
    }

    /// SIGHUP: the terminal is gone.
    @Test(arguments: [SIGINT, SIGHUP]) func interrupted(signal: Int32) async throws {
        let trial = try TrialFault(duration: "60s")
        defer { trial.remove() }
        let children = try await trial.waitForChildren()
        try await trial.waitUntilRunning()
        #expect(trial.interrupt(signal))
        #expect(try await trial.finish() == 105)
        let summary = try trial.summary()
        #expect(summary.outcome == .interrupted)
        let files = try trial.files()
        for name in [
            "manifest.json", "summary.json", "scenario.resolved.yml", "schema.json",
            "renditions.csv", "viewers.csv", "processes.csv", "delay.csv", "report.html",
            "junit.xml",
        ] {
            #expect(files.contains(name))
        }
        try trial.expectTidy()
        try await trial.expectGone(Array(children.values))
    }
}

/// One `millrace run` of a small scenario.
final class TrialFault {
    /// Beside the test bundle.
    static let program: String? = {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        for directory in [bundle, Bundle.main.bundleURL].flatMap({
            [$0, $0.deletingLastPathComponent()]
        }) {
            let path = directory.appendingPathComponent("millrace").path
            var isDirectory: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
                !isDirectory.boolValue
            {
                return path
            }
        }
        return nil
    }()

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

        """

    let results: String
    private let directory: String
    private let process = Process()
    private let log: String
    private var ended = false

    var pid: pid_t { process.processIdentifier }

    /// - Parameters:
    ///   - viewers: instead of the scenario's.
    ///   - stack: more keys of the stack, in lines of their own.
    ///   - duration: of the steady window; long where a test ends the run itself, so that a busy
    ///     machine does not end it first.
    ///   - scenario: instead of all of it.
    init(
        results: String? = nil, capture: String = "false", viewers: String? = nil,
        stack: String = "", duration: String = "3s", scenario: String = TrialFault.scenario
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
        process.executableURL = URL(fileURLWithPath: try #require(Self.program))
        process.arguments = ["run", "\(directory)/fault.yml", "--results", self.results]
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

    private func eventually(_ what: Comment, _ condition: () throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !condition() {
            try #require(ContinuousClock.now < deadline, "\(what): \(text)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// The children's process IDs by role, once all are there.
    func waitForChildren(_ count: Int = 4) async throws -> [String: pid_t] {
        var children: [String: pid_t] = [:]
        try await eventually("\(count) children") {
            try #require(process.isRunning, "\(text)")
            children = Self.children(of: pid)
            return children.count == count
        }
        return children
    }

    /// Children by their role, as workers have it, or their program's name.
    func children(named name: String) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter {
            guard ProcFile.statFields(pid: $0)?.dropFirst().first == "\(pid)" else { return false }
            let command = (ProcFile.read("/proc/\($0)/cmdline") ?? "").split(separator: "\0")
            return command.count >= 3 && command[1] == "worker"
                ? command[2] == name : ProcFile.read("/proc/\($0)/comm") == "\(name)\n"
        }
    }

    /// Kills the first child of that name, and those that come in its place, until so many are gone.
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

    /// Into the steady window: the manifest's owner file is there from the start, the viewers'
    /// sockets only once the run is on.
    func waitUntilRunning(warmup: Duration = .milliseconds(1800)) async throws {
        try await eventually("the run is on") {
            try #require(process.isRunning, "\(text)")
            return text.contains("playing")
        }
        // The warm-up is one second of the shared clock, where no other is given.
        let mark = ContinuousClock.now + warmup
        try await eventually("the window has begun") { ContinuousClock.now > mark }
    }

    /// Until the interim results hold a delay.
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

    func interrupt(_ signal: Int32 = SIGINT) -> Bool { kill(pid, signal) == 0 }

    /// Waits for the end; the exit code, or the signal's number as a negative one.
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

    /// Nothing with a temporary name is left.
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

    /// The processes have ended, zombies aside, which are another's to reap.
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
