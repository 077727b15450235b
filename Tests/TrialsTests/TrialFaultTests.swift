import Foundation
import Glibc
import Processes
import Results
import TestSupport
import Testing

@testable import Trials

/// Checks the outcome of runs of the program in which processes are killed or a disk fills up.
@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct TrialFaultTests {
    @Test func passes() async throws {
        let trial = try TrialProcess()
        defer { trial.remove() }
        #expect(try await trial.finish() == 0)
        let summary = try trial.summary()
        #expect(summary.outcome == .passed)
        #expect(summary.viewersJoined == 6)
        #expect(try trial.manifest().validity.valid)
        try trial.expectTidy()
    }

    /// If the server ends, the trial has failed. If a load generator ends, the trial is void.
    @Test(
        arguments: [
            ("server", 99, Summary.Outcome.failed), ("publishers", 97, .void),
            ("viewers", 97, .void), ("probes", 97, .void),
        ] as [(String, Int32, Summary.Outcome)])
    func killedChild(role: String, code: Int32, outcome: Summary.Outcome) async throws {
        let trial = try TrialProcess(duration: "60s")
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
        // The results hold the measurements until the end.
        let files = try trial.files()
        for name in ["renditions.csv", "viewers.csv", "processes.csv", "report.html"] {
            #expect(files.contains(name))
        }
        #expect(try trial.lines("processes.csv") > 1)
        try trial.expectTidy()
        try await trial.expectGone(Array(children.values))
    }

    /// If the server is killed before the start, there is no verdict, and the message names the
    /// process that ended, and not only those that waited for it.
    @Test func aServerKilledBeforeTheStart() async throws {
        let trial = try TrialProcess()
        defer { trial.remove() }
        #expect(kill(try await trial.waitForChild(named: "server"), SIGKILL) == 0)
        #expect(try await trial.finish() == 97, "\(trial.text)")
        let reasons = try trial.manifest().validity.reasons
        #expect(reasons.contains { $0.contains("killed by signal 9") }, "\(reasons)")
        try trial.expectTidy()
    }

    /// The packager is part of the server. If the scenario allows restarts, the server restarts on
    /// its old ports, the publisher connects again, and players continue.
    @Test func aKilledServerComesBack() async throws {
        let viewers = """
              - protocol: hls
                count: 3
                rendition: small

            """
        let trial = try TrialProcess(
            viewers: viewers, stack: "  restarts: 2\n  hls: {segment: 1s}\n", duration: "15s")
        defer { trial.remove() }
        let children = try await trial.waitForChildren(3)
        try await trial.waitUntilRunning()
        #expect(kill(try #require(children["server"]), SIGKILL) == 0)
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        let notes = read.summary.notes
        let note = try #require(notes.first { $0.contains("the server ended at") }, "\(notes)")
        #expect(note.contains("in the steady window (was killed by signal 9); started again at"))
        #expect(notes.contains { $0.contains("frames were due while the server was away") })
        #expect(try #require(read.summary.health.offered) > 0.99)
        #expect(Set(read.processes.filter { $0.role == "server" }.compactMap(\.pid)).count == 2)
        for viewer in 0..<3 {
            let segments = read.segments.filter { $0.viewer == viewer }
            let numbers = segments.compactMap(\.segment)
            #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
            // Segments were requested to the end of the run of 16 s.
            #expect(try #require(segments.last?.requestedSeconds) > 12, "\(segments)")
        }
        #expect(read.viewers.allSatisfy { $0.error.isEmpty })
        try trial.expectTidy()
    }

    /// If the disk of the results fills up during the run, players and server are not affected. The
    /// run reports it and writes its results where there is room.
    @Test(.enabled(if: geteuid() == 0, "only root mounts"))
    func aFullDisk() async throws {
        // Only the run sees the small disk. It is filled once, after the run has begun to write.
        let script = """
            mkdir -p "$0/results" && mount -t tmpfs -o size=1m none "$0/results" || exit 90
            export TMPDIR="$0/"
            (sleep 2.5; head -c 2m /dev/zero >"$0/results/fill") 2>/dev/null &
            exec "$@"
            """
        let trial = try TrialProcess(script: script, duration: "4s")
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        #expect(trial.text.contains("is the disk full?"), "\(trial.text)")
        let files = FileManager.default
        let folder = try #require(
            try files.contentsOfDirectory(atPath: trial.directory).first {
                $0.hasPrefix("millrace-results-")
            })
        let names = try files.contentsOfDirectory(atPath: "\(trial.directory)/\(folder)")
        try #require(names.count == 1, "\(names)")
        let path = "\(trial.directory)/\(folder)/\(names[0])"
        let read = try RunResults(path: path)
        #expect(read.summary.outcome == .passed)
        #expect(read.summary.viewersJoined == 6)
        #expect(
            read.summary.notes.contains {
                $0.hasPrefix("the results are not where they were meant")
            },
            "\(read.summary.notes)")
        #expect(read.renditions.contains { ($0.framesReceived ?? 0) > 0 })
        #expect(trial.text.contains(path))
    }

    /// If there is no room anywhere, there are still a verdict and an exit code.
    @Test(.enabled(if: geteuid() == 0, "only root mounts"))
    func aFullDiskEverywhere() async throws {
        let script = """
            mkdir -p "$0/results" && mount -t tmpfs -o size=1m none "$0/results" || exit 90
            export TMPDIR="$0/results"
            (sleep 2.5; head -c 2m /dev/zero >"$0/results/fill") 2>/dev/null &
            exec "$@"
            """
        let trial = try TrialProcess(script: script, duration: "4s")
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        #expect(trial.text.contains("PASSED"), "\(trial.text)")
        #expect(trial.text.contains("The verdict stands"), "\(trial.text)")
    }

    /// If a required capture (`true`) ends, the trial is void. If an optional capture (`auto`)
    /// ends, the verdict stands and the end is reported.
    @Test(
        .enabled(if: geteuid() == 0, "only root captures"),
        arguments: [("true", 97), ("auto", 0)] as [(String, Int32)])
    func killedCapture(mode: String, code: Int32) async throws {
        let trial = try TrialProcess(capture: mode, duration: "10s")
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

    /// No process outlives a killed runner, and the next run renames its directory of results.
    @Test func killedRunner() async throws {
        let trial = try TrialProcess(duration: "60s")
        defer { trial.remove() }
        let children = try await trial.waitForChildren()
        try await trial.waitUntilRunning()
        try await trial.waitForInterimDelay()
        #expect(kill(trial.pid, SIGKILL) == 0)
        _ = try await trial.finish()
        try await trial.expectGone(Array(children.values))
        #expect(try trial.directories().isEmpty)
        #expect(try trial.partials().count == 1)
        let next = try TrialProcess(results: trial.results)
        defer { next.remove() }
        _ = try await next.waitForChildren()
        #expect(next.interrupt())
        #expect(try await next.finish() == 105)
        #expect(try trial.directories().count == 2)
        for directory in try trial.directories() {
            let read = try RunResults(path: "\(trial.results)/\(directory)")
            #expect(read.summary.outcome == .interrupted)
        }
        // The results hold the measurements until the runner was killed. Names of runs are sorted
        // by their starts.
        let first = try #require(try trial.directories().sorted().first)
        let read = try RunResults(path: "\(trial.results)/\(first)")
        #expect(read.delay.contains { ($0.count ?? 0) > 0 })
        #expect(!read.processes.isEmpty && !read.renditions.isEmpty)
        #expect(read.summary.viewersJoined > 0)
        try trial.expectTidy()
    }

    /// A run that is interrupted by a signal writes its results. SIGHUP means that the terminal has
    /// closed; SIGQUIT would end the program at once by default.
    @Test(arguments: [SIGINT, SIGHUP, SIGQUIT]) func interrupted(signal: Int32) async throws {
        let trial = try TrialProcess(duration: "60s")
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

    /// With `--user`, processes that read data of others do not run as root, and the run is
    /// otherwise like any other.
    @Test(.enabled(if: geteuid() == 0 && getpwnam("nobody") != nil, "only root becomes another"))
    func workersBecomeAnotherUser() async throws {
        let trial = try TrialProcess(
            capture: "true", duration: "60s", options: ["--user", "nobody"])
        defer { trial.remove() }
        let children = try await trial.waitForChildren(5)
        try await trial.waitUntilRunning()
        let nobody = try #require(getpwnam("nobody")).pointee.pw_uid
        for (role, pid) in children {
            let status = ProcFile.read("/proc/\(pid)/status") ?? ""
            let users = status.split(separator: "\n").first { $0.hasPrefix("Uid:") }
            #expect(
                users?.split(separator: "\t").dropFirst() == [
                    "\(nobody)", "\(nobody)", "\(nobody)", "\(nobody)",
                ], "\(role)")
        }
        try await trial.waitForInterimDelay()
        #expect(trial.interrupt())
        #expect(try await trial.finish() == 105)
        let summary = try trial.summary()
        #expect(summary.viewersJoined == 6, "\(trial.text)")
        #expect(summary.joinFailures?.isEmpty ?? true)
        try trial.expectTidy()
        try await trial.expectGone(Array(children.values))
    }

    /// Workers end with a killed runner, even if they run as another user.
    @Test(.enabled(if: geteuid() == 0 && getpwnam("nobody") != nil, "only root becomes another"))
    func workersOfAnotherUserEndWithTheRunner() async throws {
        let trial = try TrialProcess(duration: "60s", options: ["--user", "nobody"])
        defer { trial.remove() }
        let children = try await trial.waitForChildren()
        try await trial.waitUntilRunning()
        #expect(trial.interrupt(SIGKILL))
        try await trial.expectGone(Array(children.values))
    }
}
