import Foundation
import Results
import Statistics
import Testing

@testable import Report

/// Why one run's delay is larger than another's.
@Suite struct DelayExplanationTests {
    private static func part(_ p50: Double, _ p99: Double) -> DelaySplitFigures.Part {
        .init(count: 100, p50Milliseconds: p50, p99Milliseconds: p99, maximumMilliseconds: 2 * p99)
    }

    /// A run of 10 s whose server has two groups of threads.
    private static func run(
        _ name: String, queueing: Double, write: Double, viewers: Double?, senders: Int,
        switches: Int, runDelay: Double
    ) -> RunResults {
        var manifest = Manifest()
        manifest.scenario = name
        manifest.runID = "run-\(name)"
        manifest.stack = "embedded"
        manifest.window.startSeconds = 5
        manifest.window.endSeconds = 15
        var summary = Summary()
        summary.serverDelays = DelaySplitFigures(
            queueing: part(queueing / 10, queueing), service: part(0.01, 0.02),
            write: part(write / 10, write))
        var results = RunResults(manifest: manifest, summary: summary)
        if let viewers {
            for (frames, delay) in [(300, viewers), (100, viewers)] {
                var row = RenditionRow()
                row.vantage = "viewer"
                row.playProtocol = "rtmp"
                row.delayP50Milliseconds = delay / 10
                row.delayP99Milliseconds = delay
                row.framesReceived = frames
                results.renditions.append(row)
            }
        }
        for second in 1...20 {
            for (group, threads) in [("", senders + 1), ("NIO-ELT", 1), ("sender", senders)] {
                var row = ProcessRow()
                row.timeSeconds = Double(second)
                row.role = "server"
                row.threadGroup = group
                row.threads = threads
                row.steady = second > 5 && second <= 15 ? 1 : 0
                row.voluntarySwitches = group == "NIO-ELT" ? 0 : switches
                row.involuntarySwitches = 0
                row.runDelayMilliseconds = group == "NIO-ELT" ? 0 : runDelay
                row.cpuSeconds = 0.5
                results.processes.append(row)
            }
        }
        return results
    }

    private static let loops = run(
        "loops", queueing: 2, write: 1, viewers: 10, senders: 0, switches: 100, runDelay: 1)
    private static let threads = run(
        "threads", queueing: 62, write: 11, viewers: 110, senders: 200, switches: 5000,
        runDelay: 500)

    @Test func `what grew is named with its share`() throws {
        let explanation = try #require(DelayExplanation([Self.loops, Self.threads]))
        let growth = explanation.growth(
            from: explanation.runs[0], to: explanation.runs[1], .p99)
        #expect(growth.map(\.part) == ["queueing", "service", "write", "rest"])
        #expect(growth.map { $0.milliseconds.rounded() } == [60, 0, 10, 30])
        #expect(growth.map { (($0.share ?? 0) * 100).rounded() } == [60, 0, 10, 30])
        let text = explanation.text
        for words in [
            "#2 against #1, p99: 110.00 ms, it grew by 100.00 ms",
            "queueing +60.000 ms (60 %)", "Most of it is queueing",
            "100 → 5000 context switches/s", "1.00 → 500.00 ms/s", "0.0100 → 0.1000 ms for each",
        ] {
            #expect(text.contains(words), "lacks '\(words)':\n\(text)")
        }
        // Only the steady window counts, and the group with the longest run queue stands first.
        let groups = explanation.runs[1].groups
        #expect(groups.map(\.name) == ["sender", "NIO-ELT"])
        #expect(groups.first?.threads == 200 && groups.first?.switchesPerSecond == 5000)
        #expect(groups.first?.cpuPercent == 50)
        #expect(groups.last?.waitPerSwitchMilliseconds == nil)
    }

    @Test func `a delay that did not grow has no shares`() throws {
        let explanation = try #require(DelayExplanation([Self.threads, Self.loops]))
        let growth = explanation.growth(
            from: explanation.runs[0], to: explanation.runs[1], .p50)
        #expect(growth.allSatisfy { $0.share == nil })
        #expect(explanation.text.contains("did not grow"))
        #expect(!explanation.text.contains("Most of it"))
    }

    /// Without viewers that time frames, the server's parts are the whole, and there is no rest.
    @Test func `the parts are the whole if nobody timed frames`() throws {
        let blind = [Self.loops, Self.threads].map { results in
            var results = results
            results.renditions = []
            return results
        }
        let explanation = try #require(DelayExplanation(blind))
        #expect(explanation.runs[0].delay(.p99) == 2 + 0.02 + 1)
        let growth = explanation.growth(
            from: explanation.runs[0], to: explanation.runs[1], .p99)
        #expect(growth.map(\.part) == ["queueing", "service", "write"])
    }

    @Test func `runs without the server's delays are left out`() throws {
        var blind = Self.loops
        blind.summary.serverDelays = nil
        #expect(DelayExplanation([Self.loops, blind]) == nil)
        let some = try #require(DelayExplanation([blind, Self.loops, Self.threads]))
        #expect(some.runs.count == 2)
        #expect(some.text.contains("left out: 1 run that does not know the server's delays"))
        #expect(DelayExplanation([]) == nil)
    }

    /// A run without viewers and a run with them are compared by what both have.
    @Test func `delays of different kinds are not compared`() throws {
        var blind = Self.loops
        blind.renditions = []
        let explanation = try #require(DelayExplanation([blind, Self.threads]))
        let growth = explanation.growth(
            from: explanation.runs[0], to: explanation.runs[1], .p99)
        #expect(growth.map(\.part) == ["queueing", "service", "write"])
        let shares = growth.map { (($0.share ?? 0) * 70).rounded() }
        #expect(shares == [60, 0, 10])
        #expect(explanation.text.contains("because not every run has viewers"))
    }

    @Test func `the figure shows both percentiles`() throws {
        let figure = try #require(DelayExplanation([Self.loops, Self.threads])).figure
        #expect(figure.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="))
        #expect(figure.hasSuffix("</svg>\n"))
        #expect(figure.components(separatedBy: "<polyline").count == 3)
        var unaccounted = [Self.loops, Self.threads]
        for index in unaccounted.indices { unaccounted[index].processes = [] }
        #expect(try #require(DelayExplanation(unaccounted)).figure.isEmpty)
    }

    @Test func `the summary prints the split`() {
        let text = SummaryReport(Self.threads).text
        #expect(text.contains("server: p50/p99 ms: queueing 6.200/62.000, service 0.010/0.020"))
        #expect(!SummaryReport(ReportTests.results()).text.contains("SERVER DELAY"))
    }
}
