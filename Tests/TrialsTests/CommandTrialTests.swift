import Foundation
import Glibc
import Processes
import Results
import TestSupport
import Testing

@testable import Trials

/// Runs of the program on a server that a command line starts.
@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct CommandTrialTests {
    /// The scenario of `TrialProcess` with a server of a command line. The server is a grandchild of
    /// the command, in a session of its own, beside a process that only sleeps.
    private static func scenario(_ script: String) throws -> String {
        let program = try #require(Programs.millrace)
        return TrialProcess.scenario.replacing(
            "  driver: embedded\n",
            with: """
                  driver: command
                  command:
                    - sh
                    - "-c"
                    - "\(script)"
                    - "\(program)"
                  env: {RTMP: "{rtmp_port}", HTTP: "{http_port}"}
                  ready: {within: 60s}
                  http_url: "http://127.0.0.1:{http_port}/live"

                """)
    }

    private static let serve = "setsid $0 serve --quiet --rtmp-port $RTMP --http-port $HTTP"

    @Test func measuresTheWholeTree() async throws {
        let trial = try TrialProcess(
            scenario: try Self.scenario("\(Self.serve) & setsid sleep 1000 & wait"))
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let summary = try trial.summary()
        #expect(summary.outcome == .passed && summary.viewersJoined == 6)
        let server = try #require(summary.roles.first { $0.role == "server" })
        // The shell, the server and the process that sleeps.
        #expect(server.processes == 3)
        #expect(server.cpuPercent > 0 && server.peakRSSBytes > 0)
        let efficiency = try #require(summary.efficiency)
        #expect(efficiency.cpuSecondsPerGigabit ?? 0 > 0)
        #expect(efficiency.viewersPerCore ?? 0 > 0)
        #expect(abs(efficiency.serverCores - server.cpuPercent / 100) < 1e-9)
        let busiest = try #require(summary.busiestThreads)
        #expect(busiest.contains { $0.role == "server" && $0.cpuPercent > 0 })
        #expect(trial.text.contains("CPU s per gigabit"), "\(trial.text)")
        #expect(trial.text.contains("busiest thread"))
        #expect(try !trial.files().contains("server"))
        try trial.expectTidy()
    }

    /// The end of the server's processes is a failure of the server, with its last words.
    @Test func aServerThatEndsInMidRun() async throws {
        let trial = try TrialProcess(
            duration: "60s",
            scenario: try Self.scenario(
                "echo goodbye; exec \(Self.serve.dropFirst("setsid ".count))"))
        defer { trial.remove() }
        try await trial.waitUntilRunning()
        let pids = ProcessIdentity.descendants(of: trial.pid).map(\.pid)
        let server = try #require(pids.first { Self.arguments($0).contains("serve") })
        #expect(kill(server, SIGKILL) == 0)
        #expect(try await trial.finish() == 99, "\(trial.text)")
        let summary = try trial.summary()
        #expect(summary.earlyEnd?.contains("killed by signal 9") == true)
        #expect(summary.notes.contains { $0.contains("goodbye") }, "\(summary.notes)")
    }

    /// A runner that is killed leaves no process of the server, whatever session it is in.
    @Test func aKilledRunnerLeavesNothing() async throws {
        let trial = try TrialProcess(
            duration: "60s",
            scenario: try Self.scenario("\(Self.serve) & setsid sleep 1000 & wait"))
        defer { trial.remove() }
        try await trial.waitUntilRunning()
        let pids = ProcessIdentity.descendants(of: trial.pid).map(\.pid)
        #expect(pids.contains { Self.arguments($0).contains("1000") })
        #expect(kill(trial.pid, SIGKILL) == 0)
        #expect(try await trial.finish() == -SIGKILL)
        try await trial.expectGone(pids)
    }

    private static func arguments(_ pid: Int32) -> [Substring] {
        (ProcFile.read("/proc/\(pid)/cmdline") ?? "").split(separator: "\0")
    }
}
