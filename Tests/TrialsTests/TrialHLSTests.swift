import Foundation
import Report
import Results
import TestSupport
import Testing

@testable import Simulations
@testable import Trials

/// Checks adaptive viewers in a whole run, and a simulation of the same viewers.
@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct TrialHLSTests {
    private static let viewers = """
          - {protocol: hls, count: 2, algorithm: throughput, buffer: 10s, link: 1Mbps}
          - {protocol: hls, count: 1, rendition: small}
          - {protocol: rtmp, count: 1, probes: 1}

        """

    @Test func rowsAndFidelity() async throws {
        let trial = try TrialProcess(viewers: Self.viewers, duration: "8s")
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let path = "\(trial.results)/\(directory)"
        let read = try RunResults(path: path)
        #expect(read.summary.viewersJoined == 4)
        let adaptive = read.viewers.filter { $0.playProtocol == "hls" }
        #expect(adaptive.map(\.algorithm) == ["throughput", "throughput", "fixed"])
        for row in adaptive {
            #expect(row.error.isEmpty && (row.meanBitrateKilobits ?? 0) > 100)
            #expect(row.failedRequests == 0 && (row.liveLatencySeconds ?? 0) > 0)
            #expect(row.ladder.split(separator: " ").count == 1)
            let mine = read.segments.filter { $0.viewer == row.viewer }
            #expect(mine.count >= 3)
            #expect(mine.allSatisfy { ($0.bytes ?? 0) > 0 && $0.rendition == 0 })
        }
        let shares = read.renditions.filter { $0.playProtocol == "hls" && $0.vantage == "viewer" }
        #expect(shares.map(\.rendition) == ["small"] && shares.first?.viewerShare == 1)
        // One viewer of each group is a probe that measures the delays of frames.
        #expect(adaptive.reduce(0) { $0 + ($1.probe ?? 0) } == 2)
        let row = try #require(shares.first)
        #expect((row.framesExpected ?? 0) > 100 && row.framesReceived == row.framesExpected)
        #expect(
            (row.packagerDelayP50Milliseconds ?? 1e9) <= (row.delayP50Milliseconds ?? 0), "\(row)")
        #expect((row.packagerDelayP50Milliseconds ?? 0) > 0)
        let summary = SummaryReport(read).text
        #expect(summary.contains("FRAME DELAY OVER HLS"))
        // The same sessions run in virtual time. This test does not check whether they agree.
        let rows = try FidelityJob(path: path).write()
        #expect(rows.map(\.group) == [0, 0, 0, 1, 1, 1])
        #expect(rows.map(\.sessions) == [2, 2, 2, 1, 1, 1])
        let written = try RunResults(path: path).fidelity
        #expect(written.map(\.metric) == rows.map(\.metric))
        #expect(written.map(\.within) == rows.map(\.within))
        for row in rows where row.metric == "mean_bitrate_kbps" {
            // The stream has one rendition, so the bitrate cannot differ.
            #expect(abs(row.difference ?? 99) < 1)
        }
        try trial.expectTidy()
    }

    @Test func nothingToSimulate() async throws {
        let trial = try TrialProcess()
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let job = try FidelityJob(path: "\(trial.results)/\(directory)")
        #expect(throws: FidelityError.self) { try job.run() }
    }
}
