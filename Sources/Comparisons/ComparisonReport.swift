import Foundation
import Gate
import Report
import Statistics

/// A comparison for people and for other programs: the table of verdicts, the verdict line, JUnit
/// XML, Markdown for the summary of a CI step, and the list that github-action-benchmark reads.
package struct ComparisonReport: Sendable {
    /// A figure in the format that github-action-benchmark calls customSmallerIsBetter.
    package struct Point: Encodable, Sendable, Hashable {
        package var name: String
        package var unit: String
        package var value: Double
        package var range: String
    }

    private let record: ComparisonRecord

    package init(_ record: ComparisonRecord) { self.record = record }

    private var verdict: GateVerdict { record.verdict }

    // MARK: For people

    /// The table of verdicts, sentences, notes and, as the last line, the verdict.
    package var text: String {
        var table = TextTable(
            header: ["metric", "change", "interval", "limit", "verdict"], leftColumns: [0, 4])
        table.rows = verdict.metrics.map { metric in
            let cells = Cells(metric)
            return [
                metric.metric.title, cells.change, cells.interval, cells.limit,
                metric.outcome.word,
            ]
        }
        var text = table.text
        let sentences = verdict.metrics.compactMap(\.sentence)
        if !sentences.isEmpty { text += "\n" + sentences.map { "  \($0)\n" }.joined() }
        let notes = verdict.notes + [counts]
        text += "\n" + notes.map { "  note: \($0)\n" }.joined()
        return text + "\n" + verdictLine + "\n"
    }

    private var counts: String {
        let blocks = Figure.count(verdict.validBlocks, "complete block")
        return "\(blocks); \(Figure.count(verdict.voidTrials, "void trial"))."
    }

    /// The verdict in one line, such as `FAIL  p99 delay 1.31 ± 0.05 times higher`.
    package var verdictLine: String {
        let word = verdict.outcome.word
        if record.interrupted {
            return "\(word)  The comparison was interrupted. \(verdict.reason)"
        }
        switch verdict.outcome {
        case .pass: return word
        case .fail:
            let failed = verdict.metrics.filter { $0.outcome == .fail }
            let words =
                [record.headFault].compactMap(\.self)
                + failed.map { $0.sentence ?? $0.metric.title }
            return "\(word)  \(words.joined(separator: "; "))"
        case .inconclusive: return "\(word)  \(verdict.reason)"
        }
    }

    // MARK: For other programs

    /// One test case for each metric: a failure if it failed, skipped if it is inconclusive.
    package var junit: String {
        let suite = Markup.escaped(name)
        let metrics = verdict.metrics
        let faults = record.headFault == nil ? 0 : 1
        let share = record.seconds / Double(max(1, metrics.count))
        var lines = [
            #"<?xml version="1.0" encoding="UTF-8"?>"#,
            "<testsuites>",
            "  <testsuite name=\"\(suite)\" tests=\"\(metrics.count + faults)\" "
                + "failures=\"\(metrics.count { $0.outcome == .fail } + faults)\" errors=\"0\" "
                + "skipped=\"\(metrics.count { $0.outcome == .inconclusive })\" "
                + "time=\"\(Figure.plain(record.seconds, digits: 3))\" "
                + "timestamp=\"\(Markup.escaped(record.start))\">",
        ]
        if let fault = record.headFault {
            lines.append(
                "    <testcase classname=\"\(suite)\" name=\"server\" time=\"0\">"
                    + "<failure message=\"\(Markup.escaped(fault))\"/></testcase>")
        }
        for metric in metrics {
            let reason = Markup.escaped(metric.reason)
            let element =
                switch metric.outcome {
                case .pass: ""
                case .fail: "<failure message=\"\(reason)\"/>"
                case .inconclusive: "<skipped message=\"\(reason)\"/>"
                }
            let cells = Cells(metric)
            let words = [
                metric.sentence, "unit: \(metric.metric.unit)", "change: \(cells.change)",
                "interval: \(cells.interval)", "limit: \(cells.limit)",
            ].compactMap { $0 }.joined(separator: "\n")
            lines.append(
                "    <testcase classname=\"\(suite)\" "
                    + "name=\"\(Markup.escaped(metric.metric.title))\" "
                    + "time=\"\(Figure.plain(share, digits: 3))\">\(element)"
                    + "<system-out>\(Markup.escaped(words))</system-out></testcase>")
        }
        lines += ["  </testsuite>", "</testsuites>"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// For `$GITHUB_STEP_SUMMARY`.
    package var markdown: String {
        var lines = [
            "## \(verdict.outcome.word): \(Self.plain(name))", "",
            Self.plain(verdict.reason), "",
            "| metric | change | interval | limit | verdict |", "|---|--:|--:|--:|---|",
        ]
        for metric in verdict.metrics {
            let cells = Cells(metric)
            lines.append(
                "| \(Self.plain(metric.metric.title)) (\(Self.plain(metric.metric.unit))) "
                    + "| \(Self.plain(cells.change)) | \(Self.plain(cells.interval)) "
                    + "| \(Self.plain(cells.limit)) | \(metric.outcome.word) |")
        }
        lines.append("")
        for (side, words) in [("base", record.base), ("head", record.head)] {
            let parts = [words.program] + words.overrides
            let text = parts.filter { !$0.isEmpty }.joined(separator: " ")
            if !text.isEmpty { lines.append("- \(side): \(Self.plain(text))") }
        }
        for note in verdict.notes + [counts] { lines.append("- \(Self.plain(note))") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Means of the head's figures, with their standard deviation as the range. Metrics of which
    /// more is better do not belong into such a list.
    package var benchmark: [Point] {
        verdict.metrics.compactMap { metric in
            let values = metric.pairs.compactMap(\.head).filter(\.isFinite)
            guard metric.metric.direction == .lowerIsBetter, !values.isEmpty else { return nil }
            let count = Double(values.count)
            let mean = values.reduce(0) { $0 + $1 / count }
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let spread = (squares / max(1, count - 1)).squareRoot()
            guard mean.isFinite else { return nil }
            return Point(
                name: "\(name): \(metric.metric.title)", unit: metric.metric.unit, value: mean,
                range: spread.isFinite ? "± \(Cells.number(spread, digits: 4))" : "")
        }
    }

    private var name: String { record.scenario.isEmpty ? "comparison" : record.scenario }

    /// Text in Markdown that stays as it is: nothing in it is markup.
    static func plain(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "`", "*", "_", "[", "]", "|", "#", "~": result += "\\\(scalar)"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// The numbers of a verdict as cells of a table.
struct Cells {
    var change = "–"
    var interval = "–"
    var limit = "–"

    init(_ verdict: MetricVerdict) {
        let isRatio = verdict.metric.kind == .ratio
        func words(_ value: Double) -> String {
            isRatio
                ? Self.number(value, digits: 3)
                : (value > 0 ? "+" : "") + Self.number(value, digits: 4)
        }
        if let estimate = verdict.estimate { change = words(estimate) + (isRatio ? "×" : "") }
        if verdict.estimate != nil {
            let low = verdict.low.map(words) ?? "−∞"
            let high = verdict.high.map(words) ?? "∞"
            interval = "[\(low), \(high)]"
        }
        if let end = verdict.limit {
            limit = (verdict.metric.direction == .lowerIsBetter ? "≤ " : "≥ ") + words(end)
        }
    }

    /// A number in at most nine characters, so that a table stays narrow.
    static func number(_ value: Double, digits: Int) -> String {
        guard value.isFinite, value.magnitude >= 10_000 else {
            return Figure.number(value, digits: value.magnitude < 1000 ? digits : 1)
        }
        return String(format: "%.1e", value)
    }
}
