import Foundation
import Report
import Results
import TestSupport
import Testing

@testable import Trials

/// Checks whole runs in which the server pushes streams to sinks.
@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct TrialRelayTests {
    private static let drivers = Programs.hasNginx ? ["embedded", "nginx-rtmp"] : ["embedded"]

    /// The scenario of other trials, with two streams and a relay in place of the viewers.
    private static func scenario(_ driver: String) throws -> String {
        var text = TrialProcess.scenario
        let start = try #require(text.range(of: "viewers:\n"))
        let end = try #require(text.range(of: "warmup:"))
        text.replaceSubrange(
            start.lowerBound..<end.lowerBound, with: "relay: {targets: 2, sinks: 2}\n")
        return text.replacing("  - name: live\n", with: "  - name: live\n    count: 2\n")
            .replacing("driver: embedded", with: "driver: \(driver)")
    }

    @Test(arguments: drivers) func `every frame arrives at every target`(driver: String)
        async throws
    {
        let trial = try TrialProcess(scenario: try Self.scenario(driver))
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let path = "\(trial.results)/\(directory)"
        let read = try RunResults(path: path)
        let relay = try #require(read.summary.relay)
        #expect(relay.targets == 2 && relay.sessionsPlanned == 4 && relay.sessionsServed == 4)
        #expect(relay.framesExpected == 4 * 45 && relay.framesMissing == 0)
        #expect(relay.framesDuplicate == 0 && relay.reconnects == 0 && relay.cutOffs == 0)
        let (p50, p99) = (
            try #require(relay.delayP50Milliseconds), try #require(relay.delayP99Milliseconds)
        )
        #expect(p50 >= 0 && p50 <= p99)
        #expect(read.summary.viewersJoined == 4 && read.summary.framesMissing == 0)
        #expect(read.renditions.map(\.playProtocol) == ["rtmp-push", "rtmp-push"])
        for row in read.renditions {
            #expect(row.vantage == "viewer" && row.viewers == 2)
            #expect(row.framesExpected == 90 && row.framesReceived == 90)
            #expect((row.payloadKilobits ?? 0) > 100)
        }
        #expect(read.viewers.count == 4)
        #expect(read.viewers.allSatisfy { $0.probe == 1 && $0.error.isEmpty })
        #expect(read.delay.allSatisfy { $0.playProtocol == "rtmp-push" } && !read.delay.isEmpty)
        let sinks = read.summary.roles.first { $0.role == "sinks" }
        #expect(sinks?.processes == 2)
        #expect(SummaryReport(read).text.contains("each stream to 2 targets"))
        // The record holds all of it.
        let again = try #require(try TrialFiles.refresh(directory: path))
        #expect(again.replaced.isEmpty && again.results.summary.relay == relay)
        try trial.expectTidy()
    }

    /// The targets of a stream whose publisher goes and comes back stay connected, and frames that
    /// nobody was to send are due to nobody.
    @Test func `a publisher that is gone for a while costs no target its connection`() async throws
    {
        let scenario = try Self.scenario("embedded").replacing(
            "sinks: 2}", with: "faults: {publisher_gap: {stream: 1, at: 500ms, for: 500ms}}}")
        let trial = try TrialProcess(scenario: scenario)
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        let relay = try #require(read.summary.relay)
        #expect(relay.reconnects == 0 && relay.cutOffs == 0 && relay.framesDuplicate == 0)
        #expect(relay.framesMissing == 0)
        let expected = try #require(relay.framesExpected)
        #expect(expected < 4 * 45 && expected >= 2 * 45, "\(expected)")
        #expect(read.summary.notes.contains { $0.contains("was gone for 500 ms as planned") })
        let other = try #require(read.renditions.first { $0.stream == "live2" })
        #expect(other.framesExpected == 90 && other.framesReceived == 90)
    }

    /// Requests to the API cost no target a frame, and the summary says what became of them.
    @Test func `a flooded API holds up nobody`() async throws {
        let scenario = try Self.scenario("embedded").replacing(
            "sinks: 2}", with: "faults: {api_requests: 100/s}}")
        let trial = try TrialProcess(scenario: scenario)
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        let relay = try #require(read.summary.relay)
        #expect(relay.framesExpected == 4 * 45 && relay.framesMissing == 0)
        let flood = try #require(relay.apiFlood)
        #expect(flood.requests > 0 && flood.accepted > 0)
        #expect(
            flood.accepted + flood.refused + flood.unanswered == flood.requests, "\(flood)")
        #expect(SummaryReport(read).text.contains("API flood"))
        #expect(read.summary.roles.contains { $0.role == "api-flood" })
        #expect((read.summary.serverCacheBytes ?? 0) > 0)
        try trial.expectTidy()
    }

    /// A target that hardly reads costs no other one a frame.
    @Test func `a stalled target holds up nobody`() async throws {
        let scenario = try Self.scenario("embedded").replacing(
            "sinks: 2}", with: "faults: {stalled: 1, stalled_rate: 1kbps}}")
        let trial = try TrialProcess(scenario: scenario)
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        let other = try #require(read.renditions.first { $0.stream == "live2" })
        #expect(other.framesExpected == 90 && other.framesReceived == 90)
        let stalled = read.viewers.filter { $0.link == "1kbps" }
        #expect(stalled.map(\.stream) == ["live1"])
        let whole = read.viewers.filter { $0.link.isEmpty }
        #expect(whole.count == 3 && whole.allSatisfy { $0.framesReceived == 45 })
        #expect((stalled.first?.framesReceived ?? 0) < 45)
    }
}
