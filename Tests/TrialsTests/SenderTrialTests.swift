import Results
import Statistics
import TestSupport
import Testing

@testable import Trials

/// Runs of the embedded stack with each of its models of threads.
@Suite(.timeLimit(.minutes(2)), .enabled(if: Programs.millrace != nil, "millrace is not built"))
struct SenderTrialTests {
    /// The scenario has four RTMP viewers and two of HTTP-FLV, all of one stream.
    @Test(arguments: [("1", 0), ("per-session", 6), ("per-stream", 1)])
    func `a run tells the delays inside its server`(threads: String, senders: Int) async throws {
        let trial = try TrialProcess(stack: "  threads: \(threads)\n")
        defer { trial.remove() }
        let code = try await trial.finish()
        try #require(code == 0, "\(trial.text)")
        let name = try #require(try trial.directories().first)
        let results = try RunResults(path: "\(trial.results)/\(name)")
        let delays = try #require(results.summary.serverDelays)
        #expect(delays.write.count > 0)
        #expect(delays.queueing.count == delays.write.count)
        #expect(delays.service.count == delays.write.count)
        #expect(trial.text.contains("server: p50/p99 ms: queueing"))
        let groups = results.processes.filter {
            $0.role == "server" && $0.steady == 1 && $0.threadGroup == "sender"
        }
        #expect(groups.compactMap(\.threads).max() ?? 0 == senders)
    }
}
