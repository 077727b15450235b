public import Results
import Statistics

/// `report.html`: one page that opens offline and loads nothing from anywhere.
public struct HTMLReport: Sendable {
    private let results: RunResults

    public init(_ results: RunResults) { self.results = results }

    public var text: String {
        let manifest = results.manifest
        let title = Markup.escaped("\(manifest.scenario) · \(manifest.runID)")
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(title)</title><style>\(HTMLStyle.sheet)</style></head><body><main>
            <header><h1>\(Markup.escaped(manifest.scenario))</h1>
            <span class="verdict \(results.summary.outcome.rawValue)">\
            \(results.summary.outcome.rawValue)</span>
            <p class="muted">run \(Markup.escaped(manifest.runID)), stack \
            \(Markup.escaped(manifest.stack)), seed \(manifest.seed), \
            \(Markup.escaped(manifest.host.cpuModel)), \(manifest.host.cores) cores, \
            \(Markup.escaped(manifest.congestionControl))</p></header>
            \(voidReasons)
            \(section("Thresholds", thresholds))
            \(section("Renditions", renditions))
            \(section("Adaptive viewers", adaptive))
            \(section("Renditions this audience needs", plain(RenditionNeeds(results.renditions).text)))
            \(section("Capacity", plain(CapacityReport(results.summary.capacity ?? []).text)))
            \(section("Relay", plain(RelayReport(results.summary.relay).text)))
            \(section("Frame delay over HLS", hlsDelay))
            \(chart(bandwidth))
            \(chart(delay(vantage: "viewer", hop: "end-to-end", title: "Delay at the viewers")))
            \(chart(hlsDelayChart))
            \(chart(delay(vantage: "wire", hop: "relay", title: "Delay through the server, on the wire")))
            \(chart(delay(vantage: "wire", hop: "encoder", title: "Delay through the encoder")))
            \(chart(processor))
            \(section("CPU of the server", plain(EfficiencyReport(results.summary).text)))
            \(section("Edges", edges))
            \(section("Viewers against wire", reconciliation))
            \(section("Run", facts))
            </main></body></html>

            """
    }

    private func section(_ title: String, _ body: String) -> String {
        body.isEmpty ? "" : "<section><h2>\(title)</h2>\(body)</section>"
    }

    private func chart(_ chart: LineChart) -> String {
        let svg = chart.svg
        guard !svg.isEmpty else { return "" }
        return "<section><h2>\(Markup.escaped(chart.title))</h2><div class=\"legend\">"
            + "\(chart.legend)</div>\(svg)</section>"
    }

    private func table(_ header: [String], _ rows: [[String]]) -> String {
        func cells(_ row: [String], _ tag: String) -> String {
            "<tr>" + row.map { "<\(tag)>\($0)</\(tag)>" }.joined() + "</tr>"
        }
        return "<div class=\"scroll\"><table><thead>\(cells(header, "th"))</thead><tbody>"
            + rows.map { cells($0.map(Markup.escaped), "td") }.joined() + "</tbody></table></div>"
    }

    private var voidReasons: String {
        let ended = results.summary.outcome == .failed ? results.summary.earlyEnd : nil
        let reasons = (ended.map { [$0] } ?? []) + results.manifest.validity.reasons
        guard !reasons.isEmpty else { return "" }
        let title = ended == nil ? "This trial is void" : "This trial failed before its end"
        return "<section class=\"warning\"><h2>\(title)</h2><ul>"
            + reasons.map { "<li>\(Markup.escaped($0))</li>" }.joined() + "</ul></section>"
    }

    private var thresholds: String {
        let rows = results.summary.thresholds.map { result in
            [
                results.mark(of: result), result.metric, result.expression,
                result.observed.map { Figure.number($0, digits: 2) } ?? "no data",
            ]
        }
        return rows.isEmpty ? "" : table(["", "metric", "must be", "is"], rows)
    }

    private var renditions: String {
        let rows = results.renditions.map { row in
            [
                row.label, row.vantage, row.playProtocol,
                Figure.integer(row.viewers), Figure.number(row.payloadKilobits),
                Figure.number(row.wireKilobits),
                Figure.number(row.delayP50Milliseconds, digits: 2),
                Figure.number(row.delayP99Milliseconds, digits: 2),
                "\(Figure.integer(row.framesReceived)) / \(Figure.integer(row.framesExpected))",
                Figure.integer(row.retransmittedBytes),
            ]
        }
        guard !rows.isEmpty else { return "" }
        return table(
            [
                "rendition", "vantage", "protocol", "viewers", "payload kbit/s", "wire kbit/s",
                "delay p50 ms", "delay p99 ms", "frames", "retransmitted bytes",
            ], rows)
    }

    private var adaptive: String {
        let cells = AdaptiveReport(results.viewers).cells
        guard !cells.isEmpty else { return "" }
        return table(AdaptiveReport.header, cells)
            + "<p class=\"muted\">\(Markup.escaped(AdaptiveReport.words))</p>"
    }

    /// Returns a section of the text report without its heading; the heading's text in brackets
    /// goes below.
    private func plain(_ text: String) -> String {
        guard let end = text.firstIndex(of: "\n") else { return "" }
        let words = text[..<end].drop { $0 != "(" }.dropFirst().dropLast()
        return
            "<div class=\"scroll\"><pre>\(Markup.escaped(String(text[end...].dropFirst())))</pre>"
            + "</div><p class=\"muted\">\(Markup.escaped(String(words)))</p>"
    }

    private var hlsDelay: String {
        let cells = HLSDelayReport(results.renditions).cells
        guard !cells.isEmpty else { return "" }
        return table(HLSDelayReport.header, cells)
            + "<p class=\"muted\">\(Markup.escaped(HLSDelayReport.words))</p>"
    }

    private var edges: String {
        let report = EdgeReport(results.edges, results.summary.edges)
        guard !report.cells.isEmpty else { return "" }
        let words = report.words.split(separator: "\n").map {
            "<p class=\"muted\">\(Markup.escaped(String($0)))</p>"
        }
        return table(EdgeReport.header, report.cells) + words.joined()
    }

    private var reconciliation: String {
        let rows = results.summary.reconciliation.map { item in
            [
                "\(item.stream)_\(item.rendition)"
                    + (item.playProtocol.map { " \($0)" } ?? ""), Figure.bytes(item.viewerBytes),
                Figure.bytes(item.wireBytes),
                item.differencePercent.map { Figure.number($0, digits: 3) + " %" } ?? "–",
            ]
        }
        return rows.isEmpty
            ? ""
            : table(["rendition", "viewers saw", "wire saw", "difference"], rows)
                + (results.summary.reconciliation.contains { $0.playProtocol == "hls" }
                    ? "<p class=\"muted\">\(Markup.escaped(SummaryReport.reconciliationWords))</p>"
                    : "")
    }

    private var facts: String {
        let manifest = results.manifest
        let summary = results.summary
        let rows: [[String]] = [
            ["started", manifest.start], ["ended", manifest.end],
            ["host", "\(manifest.host.name), Linux \(manifest.host.kernel)"],
            ["version", "\(manifest.millraceVersion) \(manifest.gitCommit)"],
            ["scenario sha256", manifest.scenarioSHA256],
            ["command", manifest.argv.joined(separator: " ")],
            ["viewers joined", "\(summary.viewersJoined) of \(summary.viewersPlanned)"],
            ["frames offered", Figure.percent(summary.health.offered)],
            [
                "publisher lag p99",
                Figure.number(summary.health.publisherLagP99Milliseconds, digits: 2) + " ms",
            ],
            [
                "probe lag p99",
                Figure.number(summary.health.probeLagP99Milliseconds, digits: 2) + " ms",
            ],
            [
                "viewer lag p99",
                Figure.number(summary.health.viewerLagP99Milliseconds, digits: 2) + " ms",
            ],
            [
                "link lateness p99",
                Figure.number(summary.health.linkLatenessP99Milliseconds, digits: 2) + " ms",
            ], ["steal", Figure.percent(summary.health.steal)],
            [
                "capture",
                manifest.capture.ran
                    ? "\(manifest.capture.received) packets, \(manifest.capture.dropped) dropped"
                    : "none \(manifest.capture.reason)",
            ],
        ]
        return table(["", ""], rows + summary.notes.map { ["note", $0] })
    }

    private var window: ClosedRange<Double>? {
        let window = results.manifest.window
        return window.endSeconds > window.startSeconds
            ? window.startSeconds...window.endSeconds : nil
    }

    /// Megabits per second out of the server, per rendition.
    private var bandwidth: LineChart {
        // Streams that go to the encoders have no viewers.
        let encodes = results.renditions.contains { $0.stampsExpected != nil }
        let rows = results.wire.filter {
            $0.direction == "out" && !(encodes && $0.rendition == "source")
        }
        let times = Set(rows.compactMap(\.timeSeconds)).sorted()
        let gaps = zip(times.dropFirst(), times).map { $0 - $1 }.sorted()
        let interval = gaps.isEmpty ? 1 : gaps[gaps.count / 2]
        var sums: [String: [Double: Double]] = [:]
        for row in rows {
            guard let time = row.timeSeconds, let bytes = row.wireBytes else { continue }
            sums["\(row.stream)_\(row.rendition)", default: [:]][time, default: 0] += Double(bytes)
        }
        let series = sums.sorted { $0.key < $1.key }.map { name, points in
            LineChart.Series(
                name: name,
                points: points.sorted { $0.key < $1.key }
                    .map { ($0.key, $0.value * 8 / interval / 1e6) })
        }
        return LineChart(
            title: "Bandwidth out of the server", xLabel: "seconds from the start",
            yLabel: "Mbit/s", series: series, band: window)
    }

    /// Chart of HLS delays; it has an axis of its own in seconds, because the other charts have
    /// milliseconds.
    private var hlsDelayChart: LineChart {
        delay(
            vantage: "viewer", hop: "end-to-end", title: "Delay at the viewers over HLS",
            isHLS: true)
    }

    private func delay(
        vantage: String, hop: String, title: String, isHLS: Bool = false
    ) -> LineChart {
        var names: [String] = []
        var points: [String: [(x: Double, y: Double)]] = [:]
        // The chart shows the viewers' corrected delay; the wire has no intended times. Both are in
        // delay.csv.
        for row in results.delay
        where row.vantage == vantage && (row.playProtocol == "hls") == isHLS
            && (row.hop.isEmpty ? hop != "encoder" : row.hop == hop)
            && (vantage == "wire" || row.correction == "corrected")
        {
            guard let percentile = row.percentile, let delay = row.delayMilliseconds else {
                continue
            }
            let link =
                row.playProtocol.isEmpty || row.playProtocol == "all" ? "" : " \(row.playProtocol)"
            let name = "\(row.stream)_\(row.rendition)\(link)"
            if points[name] == nil { names.append(name) }
            points[name, default: []].append((percentile, delay))
        }
        let series = names.map { name in
            LineChart.Series(name: name, points: points[name, default: []].sorted { $0.x < $1.x })
        }
        return LineChart(
            title: title, xLabel: "percentile", yLabel: "ms", axis: .percentile, series: series)
    }

    /// Chart of the CPU of each role over time; 100 = one core.
    private var processor: LineChart {
        var roles: [String] = []
        var sums: [String: [Double: Double]] = [:]
        for row in results.processes where row.threadGroup.isEmpty {
            guard let time = row.timeSeconds, let percent = row.cpuPercent else { continue }
            if !roles.contains(row.role) { roles.append(row.role) }
            sums[row.role, default: [:]][time, default: 0] += percent
        }
        let series = roles.map { role in
            LineChart.Series(
                name: role,
                points: sums[role, default: [:]].sorted { $0.key < $1.key }
                    .map { ($0.key, $0.value) })
        }
        return LineChart(
            title: "CPU", xLabel: "seconds from the start", yLabel: "% of a core", series: series,
            band: window)
    }
}
