import Foundation
import Gate
import Results
import Testing

@testable import Comparisons

@Suite struct ComparisonReportTests {
    private static let strange = "a<b> & \"c\" 'd' | `e` ]]>\u{1} *f*"

    @Test func exitCodesAndVerdictLines() throws {
        let pass = try SmallResults.record(SmallResults.alike)
        #expect(pass.exitCode == 0 && ComparisonReport(pass).verdictLine == "PASS")
        let fail = try SmallResults.record(SmallResults.worse)
        #expect(fail.exitCode == 99)
        #expect(
            ComparisonReport(fail).verdictLine.hasPrefix("FAIL  p99 delay 1.50"),
            "\(ComparisonReport(fail).verdictLine)")
        var mixed = try SmallResults.record(SmallResults.mixed)
        #expect(mixed.exitCode == 98)
        #expect(ComparisonReport(mixed).verdictLine.hasPrefix("INCONCLUSIVE  No metric"))
        mixed.interrupted = true
        #expect(mixed.exitCode == 105)
        #expect(ComparisonReport(mixed).verdictLine.contains("interrupted"))
    }

    @Test(arguments: [SmallResults.alike, SmallResults.worse, SmallResults.mixed])
    func theTableIsNarrowAndTheVerdictIsLast(factors: [Double]) throws {
        let report = ComparisonReport(try SmallResults.record(factors))
        let lines = report.text.split(separator: "\n").map(String.init)
        #expect(lines.last == report.verdictLine)
        #expect(lines.prefix(3).allSatisfy { $0.count <= 80 }, "\(lines)")
    }

    @Test func allMetricsFitInto80Columns() throws {
        var record = try SmallResults.record(SmallResults.worse)
        let one = record.verdict.metrics[0]
        record.verdict.metrics = GateMetric.standard.map { metric in
            var verdict = one
            verdict.metric = metric
            verdict.outcome = .inconclusive
            (verdict.estimate, verdict.low, verdict.high) = (-0.0123, -1234.5, 1e200)
            return verdict
        }
        let lines = ComparisonReport(record).text.split(separator: "\n")
        #expect(lines.prefix(7).allSatisfy { $0.count <= 80 }, "\(lines)")
    }

    @Test func junitHasACaseForEachMetric() throws {
        let junit = ComparisonReport(
            try SmallResults.record(SmallResults.worse, scenario: Self.strange)
        ).junit
        #expect(junit.contains("tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\""))
        #expect(junit.contains("classname=\"a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; | `e` "))
        #expect(junit.contains("<failure message=\"The p99 delay is shown to be beyond"))
        #expect(junit.contains("unit: ms") && junit.contains("limit: ≤ 1.050"))
        #expect(!junit.unicodeScalars.contains("\u{1}") && !junit.contains("]]>"))
        let skipped = ComparisonReport(try SmallResults.record(SmallResults.mixed)).junit
        #expect(skipped.contains("skipped=\"1\"") && skipped.contains("<skipped message="))
    }

    @Test func markdownKeepsNamesAsTheyAre() throws {
        let record = try SmallResults.record(
            SmallResults.worse, scenario: Self.strange, overrides: ["name=x|y\n# z"])
        let text = ComparisonReport(record).markdown
        #expect(
            text.hasPrefix("## FAIL: a&lt;b&gt; &amp; \"c\" 'd' \\| \\`e\\` \\]\\]&gt;  \\*f\\*"))
        #expect(text.contains("| p99 delay (ms) | 1.50"))
        #expect(text.contains("- head: /new/millrace name=x\\|y \\# z\n"))
    }

    @Test func filesAreWrittenAndHoldNoNaN() throws {
        let folder = SmallResults.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let directory = try ComparisonDirectory(
            parent: folder, runID: RunID(secondsSince1970: 0, entropy: 1))
        let record = try SmallResults.record(
            [.nan] + SmallResults.worse.dropFirst(),
            overrides: ["stack.url=rtmp://user:secret@host/live"])
        #expect(record.verdict.outcome == .inconclusive)
        try record.write(to: directory)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        #expect(names == ["benchmark.json", "comparison.json", "junit.xml", "summary.md"])
        func read(_ name: String) throws -> Data {
            try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/\(name)"))
        }
        let json = try #require(
            JSONSerialization.jsonObject(with: read("comparison.json")) as? [String: Any])
        #expect(json["kind"] as? String == "comparison" && json["run_id"] as? String == "run")
        let verdict = try #require(json["verdict"] as? [String: Any])
        #expect(verdict["outcome"] as? String == "inconclusive")
        let metrics = try #require(verdict["metrics"] as? [[String: Any]])
        let pairs = try #require(metrics.first?["pairs"] as? [[String: Any]])
        #expect(pairs.count == 8 && pairs[0]["head"] == nil && pairs[1]["head"] != nil)
        let text = String(decoding: try read("comparison.json"), as: UTF8.self)
        #expect(!text.contains("secret") && text.contains("/new/millrace"))
        let points = try #require(
            JSONSerialization.jsonObject(with: read("benchmark.json")) as? [[String: Any]])
        #expect(points.count == 1 && points[0]["unit"] as? String == "ms")
        #expect(Set(points[0].keys) == ["name", "unit", "value", "range"])
        #expect(((points[0]["value"] as? Double) ?? 0) > 14)
        let mode = try FileManager.default.attributesOfItem(
            atPath: "\(directory.path)/comparison.json")[.posixPermissions]
        #expect(mode as? Int == 0o640)
    }

    @Test func whatIsLargerIsNoBenchmark() throws {
        var record = try SmallResults.record(SmallResults.alike)
        record.verdict.metrics[0].metric.direction = .higherIsBetter
        #expect(ComparisonReport(record).benchmark.isEmpty)
    }

    /// A head that crashes fails, although its runs have no figures. If the base crashes too, that
    /// is no regression.
    @Test func aServerThatFailsInTheHeadAloneFailsTheComparison() throws {
        func record(_ sides: [GateSide]) throws -> ComparisonRecord {
            let alike = try SmallResults.record(SmallResults.alike)
            return ComparisonRecord(
                runID: "run", scenario: "s", base: alike.base, head: alike.head,
                verdict: alike.verdict,
                trials: sides.enumerated().map { number, side in
                    .init(
                        GateTrial(
                            block: number, side: side, figures: [:],
                            voidReason: "the server <ended> early",
                            serverFault: "the server <ended> early"),
                        directory: "d", seconds: 1)
                })
        }
        #expect(try record([]).exitCode == 0)
        let failed = try record([.head, .head])
        #expect(failed.exitCode == 99)
        let report = ComparisonReport(failed)
        #expect(
            report.verdictLine
                == "FAIL  The head's server failed in 2 of its runs, and the base's in none: "
                + "the server <ended> early.")
        #expect(report.junit.contains("tests=\"2\" failures=\"1\""))
        #expect(report.junit.contains("name=\"server\"") && !report.junit.contains("<ended>"))
        let both = try record([.head, .base])
        #expect(both.exitCode == 0)
        #expect(both.verdict.notes.contains { $0.contains("1 runs of the base and 1 of the head") })
    }
}
