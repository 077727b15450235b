import ABR
import Foundation
import Results
import Testing

@testable import Scenario
@testable import Simulations

@Suite struct LadderScenarioTests {
    private static let text = """
        version: 1
        kind: ladder
        name: test
        candidates:
          - {bitrate: 300kbps, height: 240, cpu: 0.1cores}
          - {bitrate: 900kbps, height: 360, cpu: 0.2cores}
          - {bitrate: 1500kbps, height: 480, cpu: 0.4cores}
          - {bitrate: 2600kbps, height: 720, cpu: 0.9cores}
        population:
          - {share: 60%, link: 3Mbps, device: phone}
          - {share: 40%, link: 1Mbps, device: tablet}
        limits: {rungs: 2, cpu: 1.2cores}
        players: {algorithms: [throughput], device_caps: [none]}
        title: {duration: 40s, variation: 0%}
        viewers: 4
        seeds: 2
        tcp: false
        """

    private static func parse(_ changes: (String, String)...) throws -> LadderScenario {
        let text = changes.reduce(text) { $0.replacing($1.0, with: $1.1) }
        return try LadderScenario.parse(text, file: "test.yml")
    }

    /// Links of 3 and 1 Mbit/s take 2600 and 900 kbit/s (90 % of the estimate): those two rungs,
    /// whose cores (1.1) are within the limit.
    @Test func chooses() async throws {
        let directory = NSTemporaryDirectory() + "millrace-ladder-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var options = LadderJob.Options()
        options.resultsDirectory = directory
        let (path, summary) = try #require(
            try await LadderJob(try Self.parse(), options: options)())
        let chosen = try #require(summary.ladders.first)
        #expect(chosen.rungs.map(\.bitrateKbps) == [900, 2600])
        #expect(summary.method == "exact" && summary.setsPossible == 10)
        #expect(
            summary.ladders.map(\.name).suffix(3) == ["edge-ladder", "apple", "geometric"])
        // More rungs than the limit allows.
        #expect(summary.ladders.suffix(3).allSatisfy { !$0.withinLimits })
        #expect(summary.contributions.map { $0.mainAudience } == ["1Mbps/tablet", "3Mbps/phone"])
        #expect(summary.contributions.allSatisfy { !$0.why.isEmpty })
        #expect(LadderSummary.read(directory: path) == summary)
        let rows = CombinationRow.read(
            csv: try String(contentsOfFile: "\(path)/combinations.csv", encoding: .utf8))
        // All of at most two rungs but 1500 + 2600, which take 1.3 cores.
        #expect(rows.count == 9)
        #expect(rows.contains { $0.pareto == 1 })
    }

    /// A folder that cannot be written to is known before the search; a search that was cancelled
    /// leaves nothing behind.
    @Test func folders() async throws {
        let scenario = try Self.parse()
        var options = LadderJob.Options()
        options.resultsDirectory = "/proc/none"
        await #expect(throws: ResultsError.self) {
            try await LadderJob(scenario, options: options)(
                progress: { _ in Issue.record("searched") })
        }
        let directory = NSTemporaryDirectory() + "millrace-ladder-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        options.resultsDirectory = directory
        #expect(try await LadderJob(scenario, options: options)(isCancelled: { true }) == nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
    }

    @Test(arguments: [
        ("rungs: 2", "rungs: 0", "from 1"), ("3Mbps, device", "3gg, device", "did you mean '3g'?"),
        ("device: phone", "device: fone", "phone"), ("cpu: 1.2cores", "cpu: 1.2", "cores"),
        ("cpu: 1.2cores", "cpu: 0.01cores", "within the limit"),
        ("seeds: 2", "seeds: 2\nobjective: {qoe: quality}", "every candidate needs one"),
        ("viewers: 4", "viewers: 1", "fewer than"),
        ("{duration: 40s", "{duration: 24h, segment_duration: 1ns", "1ms"),
        ("{duration: 40s", "{duration: 24h, segment_duration: 10ms", "shorter title"),
        ("viewers: 4\nseeds: 2", "viewers: 100000\nseeds: 100", "take fewer"),
        ("[throughput]", "[bola]", "bola"), ("60%", "0%", "share"),
    ]) func faults(old: String, new: String, reason: String) {
        let error = #expect(throws: ScenarioErrors.self) { try Self.parse((old, new)) }
        let text = error?.description ?? ""
        #expect(text.contains("test.yml:") && text.contains(reason), "\(text)")
    }
}
