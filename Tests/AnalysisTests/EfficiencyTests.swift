import Foundation
import Report
import Results
import Testing
import Trials

@testable import Analysis
@testable import Scenario
@testable import Trials

/// What the server's CPU time carried, from the record of a real run.
@Suite struct EfficiencyTests {
    private static func record(_ name: String = "quickstart") throws -> TrialRecord {
        let directory = #filePath.replacing(
            "/EfficiencyTests.swift", with: "/Fixtures/records/\(name)")
        return try #require(try RecordFile.read(directory: directory))
    }

    @Test func figuresAgreeWithTheRows() throws {
        let record = try Self.record()
        let results = record.results
        let efficiency = try #require(results.summary.efficiency)
        let server = try #require(results.summary.roles.first { $0.role == "server" })
        #expect(abs(efficiency.serverCores - server.cpuPercent / 100) < 1e-9)
        let window = results.manifest.window
        let seconds = window.endSeconds - window.startSeconds
        let bytes = results.viewers.reduce(0) { $0 + ($1.playBytes ?? 0) }
        let rate = Double(bytes) * 8 / seconds / 1e9
        #expect(abs((efficiency.deliveredGigabitsPerSecond ?? 0) / rate - 1) < 1e-6)
        let cost = try #require(efficiency.cpuSecondsPerGigabit)
        #expect(abs(cost / (server.cpuPercent / 100 / rate) - 1) < 1e-6)
        let played = results.viewers.reduce(0) { $0 + ($1.playSeconds ?? 0) } / seconds
        #expect(abs((efficiency.playingViewers ?? 0) / played - 1) < 1e-6)
        #expect(
            efficiency.viewersPerCore.map { abs($0 * efficiency.serverCores / played - 1) < 1e-6 }
                == true)
        #expect(efficiency.streamsPerCore ?? 0 > 0)
    }

    /// A server whose CPU nobody measured has no figures, and thresholds on them have no data.
    @Test func nothingWithoutTheServersCPU() throws {
        var record = try Self.record()
        record.setup.thresholds = [
            try Threshold.parse(selector: "cpu_s_per_gigabit", expression: "value<1").get()
        ]
        let known = record.results.summary.thresholds[0]
        #expect(known.observed == record.results.summary.efficiency?.cpuSecondsPerGigabit)
        record.usage?.rows.removeAll { $0.role == "server" }
        let summary = record.results.summary
        #expect(summary.efficiency == nil)
        #expect(summary.thresholds[0].observed == nil && !summary.thresholds[0].passed)
    }

    @Test func reportsPrintThem() throws {
        var record = try Self.record()
        record.usage?.busiestThreads = [
            BusyThread(
                role: "server", process: "", thread: "NIO-ELT-0-#1", cpuPercent: 12.34,
                peakPercent: 56.78, threads: 1)
        ]
        let results = record.results
        for text in [SummaryReport(results).text, HTMLReport(results).text] {
            #expect(text.contains("CPU s per gigabit") && text.contains("streams per core"))
            #expect(
                text.contains(
                    "NIO-ELT-0-#1 (server): 12.3 % of a core, 56.8 % at most, of 1 thread"))
        }
        #expect(try JSONReport(results).text().contains("cpu_seconds_per_gigabit"))
        var empty = results
        empty.summary.efficiency = nil
        empty.summary.busiestThreads = nil
        #expect(!SummaryReport(empty).text.contains("CPU s per gigabit"))
        #expect(!HTMLReport(empty).text.contains("CPU of the server"))
    }
}
