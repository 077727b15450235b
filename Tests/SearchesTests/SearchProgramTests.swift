import Foundation
import Results
import TestSupport
import Testing

/// One `millrace search` with real processes.
@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(5)))
struct SearchProgramTests {
    private static let scenario = """
        version: 1
        name: small
        streams:
          - name: live
            renditions:
              - name: small
                source:
                  synthetic: {width: 160, height: 90, fps: 15, gop: 1s, bitrate: 200kbps}
        viewers: [{count: 2, probes: 1}]
        warmup: 1s
        drain: 500ms
        capture: {enabled: false}
        # Whether a busy machine voids a trial is not what this test asks.
        validity:
          generator_lag_p99: 10s
          viewer_lag_p99: 10s
          steal: 100%
          offered: 0%
          clock_step: 1h
        search:
          vary: viewers.count
          from: 1
          to: 2
          trial: 1s
          final: 1s
          sum: 1s
          calibrate: false
          # This always holds.
          goals: [{name: any, thresholds: {frames_missing: ["count>=0"]}}]

        """

    @Test func searchesReportsAndResumes() throws {
        let files = FileManager.default
        let parent = NSTemporaryDirectory() + "millrace-search-\(UUID().uuidString)"
        defer { try? files.removeItem(atPath: parent) }
        try files.createDirectory(atPath: parent, withIntermediateDirectories: true)
        let file = "\(parent)/small.yml"
        try Self.scenario.write(toFile: file, atomically: true, encoding: .utf8)
        let (code, text) = try Programs.run([
            "search", file, "--results", "\(parent)/results", "--quiet",
        ])
        #expect(code == 0, "\(text)")
        #expect(text.contains("capacity 2 viewers"), "\(text)")
        #expect(text.contains("no upper bound"), "\(text)")
        let name = try #require(
            try files.contentsOfDirectory(atPath: "\(parent)/results").first)
        let directory = "\(parent)/results/\(name)"
        let summary = try SearchSummary.load(directory: directory)
        #expect(summary.outcome == "complete" && summary.trials.count >= 2)
        for trial in summary.trials {
            #expect(files.fileExists(atPath: "\(directory)/\(trial.directory)/summary.json"))
        }
        #expect(files.fileExists(atPath: "\(directory)/plots/capacity.svg"))
        let report = try Programs.run(["report", directory])
        #expect(report.code == 0 && text.contains(report.text), "\(report.text)")
        // There is nothing left to do.
        let again = try Programs.run(["search", "--resume", directory, "--quiet"])
        #expect(again.code == 0 && again.text.contains("capacity 2 viewers"), "\(again.text)")
        let after = try SearchSummary.load(directory: directory)
        #expect(after.trials == summary.trials)
        let foreign = try Programs.run(["search", "--resume", parent])
        #expect(foreign.code == 2 && foreign.text.contains("millrace search"), "\(foreign.text)")
        let wrong = try Programs.run(["search", file, "--vary", "viewers.cuont"])
        #expect(wrong.code == 104, "\(wrong.text)")
        #expect(wrong.text.contains("did you mean 'viewers.count'?"), "\(wrong.text)")
        let none = try Programs.run(["search"])
        #expect(none.code == 2 && none.text.contains("--resume"), "\(none.text)")
    }
}
