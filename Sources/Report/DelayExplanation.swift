public import Results
import Statistics

// Why one run's delay is larger than another's, of the same load on two servers or two settings.
//
// The server divides the time of a delivery into queueing, service and write (`DelaySplit`). What
// viewers see has more: the way to and from the server, the generators, the link. The growth of a
// part is therefore set against the growth of what viewers saw, and the rest is named.
//
// Time in the run queue is not a fourth part. A thread that is runnable and has no CPU makes the
// messages behind it wait (queueing), or is not yet back from its send (write). It is counted for
// each context switch, because a thread waits for a CPU once for each switch: that is what one
// delivery through one more thread costs.

/// Comparison of the delays of two or more runs: which part of the server's time grew, by how much,
/// and what its threads did. It is computed from results directories alone.
public struct DelayExplanation: Sendable {
    enum Percentile: String, CaseIterable, Sendable {
        case p50, p99
    }

    /// Growth of one part of the time from the first run to another.
    struct Growth: Sendable, Equatable {
        /// Name of the part, or `rest` for what is not inside the server.
        var part: String
        var milliseconds: Double
        /// Share of the growth of the whole delay; nil if the delay did not grow.
        var share: Double?
    }

    let runs: [ServerDelayRun]
    /// Number of runs that do not know their server's delays, and are left out.
    private let leftOut: Int

    /// - Parameter results: Results of runs. The first one with the server's delays is the base.
    /// - Returns: nil if fewer than two of them have the server's delays.
    public init?(_ results: [RunResults]) {
        runs = results.compactMap(ServerDelayRun.init)
        leftOut = results.count - runs.count
        guard runs.count > 1 else { return nil }
    }

    // MARK: Growth

    /// Whether the viewers of all runs timed frames. Otherwise the server's delays alone are
    /// compared, because the two kinds of delay have no common base.
    private var haveViewers: Bool { runs.allSatisfy(\.hasViewers) }

    private func delay(_ run: ServerDelayRun, _ percentile: Percentile) -> Double {
        run.delay(percentile, seenByViewers: haveViewers)
    }

    /// Returns the growth of each part between two runs, and of the rest if viewers timed frames.
    func growth(
        from first: ServerDelayRun, to other: ServerDelayRun, _ percentile: Percentile
    ) -> [Growth] {
        let whole = delay(other, percentile) - delay(first, percentile)
        func growth(_ part: String, _ milliseconds: Double) -> Growth {
            Growth(
                part: part, milliseconds: milliseconds,
                share: whole > 0 ? milliseconds / whole : nil)
        }
        var all = zip(first.delays.parts, other.delays.parts).map { before, after in
            growth(
                before.name,
                ServerDelayRun.milliseconds(after.part, percentile)
                    - ServerDelayRun.milliseconds(before.part, percentile))
        }
        guard haveViewers else { return all }
        all.append(growth("rest", whole - all.reduce(0) { $0 + $1.milliseconds }))
        return all
    }

    private func words(
        _ number: Int, _ other: ServerDelayRun, from first: ServerDelayRun,
        _ percentile: Percentile
    ) -> String {
        let (before, after) = (delay(first, percentile), delay(other, percentile))
        let whole = after - before
        let change =
            whole > 0
            ? "grew by \(Figure.number(whole, digits: 2)) ms"
            : "did not grow (\(Figure.number(whole, digits: 2)) ms)"
        let all = growth(from: first, to: other, percentile)
        let parts = all.map { growth in
            let sign = growth.milliseconds > 0 ? "+" : ""
            let share = growth.share.map { " (\(Figure.number($0 * 100, digits: 0)) %)" } ?? ""
            return
                "\(growth.part) \(sign)\(Figure.number(growth.milliseconds, digits: 3)) ms\(share)"
        }
        let largest = all.max { $0.milliseconds < $1.milliseconds }
        let verdict = largest.map {
            ($0.share ?? 0) > 0.5
                ? ". Most of it is \($0.part)" : ". The largest part is \($0.part)"
        }
        return
            "  #\(number) against #1, \(percentile.rawValue): \(Figure.number(after, digits: 2)) ms, it \(change)"
            + ": \(parts.joined(separator: ", "))\(whole > 0 ? verdict ?? "" : "").\n"
    }

    private func schedulingWords(
        _ number: Int, _ other: ServerDelayRun, from first: ServerDelayRun
    ) -> String {
        guard let before = first.whole, let after = other.whole else { return "" }
        let waits = [before, after].map {
            $0.waitPerSwitchMilliseconds.map { Figure.number($0, digits: 4) } ?? "no data"
        }
        return "  #\(number) against #1, threads: "
            + "\(Figure.number(before.switchesPerSecond, digits: 0)) → "
            + "\(Figure.number(after.switchesPerSecond, digits: 0)) context switches/s, run queue "
            + "\(Figure.number(before.runQueueMillisecondsPerSecond, digits: 2)) → "
            + "\(Figure.number(after.runQueueMillisecondsPerSecond, digits: 2)) ms/s, "
            + "\(waits[0]) → \(waits[1]) ms for each switch.\n"
    }

    // MARK: Text

    /// The comparison as text: the runs, the growth in words, and the thread groups.
    public var text: String {
        var lines = "WHY (delay inside the server, steady window; #1 is the base)\n"
        for (index, run) in runs.enumerated() { lines += "  #\(index + 1) \(run.label)\n" }
        if leftOut > 0 {
            lines +=
                "  left out: \(leftOut) \(leftOut == 1 ? "run that does not" : "runs that do not") know the server's delays (only the embedded stack does)\n"
        }
        if !haveViewers, runs.contains(where: \.hasViewers) {
            lines +=
                "  delay: the sum of the server's parts, because not every run has viewers that time frames\n"
        }
        var table = TextTable(
            header: [
                "run", "threads", "delay p50/p99 ms", "queueing p50/p99", "service p50/p99",
                "write p50/p99",
            ])
        for (index, run) in runs.enumerated() {
            table.rows.append(
                [
                    "#\(index + 1)", Figure.number(run.whole?.threads, digits: 0),
                    Self.pair(delay(run, .p50), delay(run, .p99), digits: 2),
                ]
                    + run.delays.parts.map {
                        Self.pair($0.part.p50Milliseconds, $0.part.p99Milliseconds, digits: 3)
                    })
        }
        lines += table.text
        for (index, run) in runs.enumerated().dropFirst() {
            for percentile in Percentile.allCases {
                lines += words(index + 1, run, from: runs[0], percentile)
            }
            lines += schedulingWords(index + 1, run, from: runs[0])
        }
        return lines + groups
    }

    private static func pair(_ p50: Double, _ p99: Double, digits: Int) -> String {
        "\(Figure.number(p50, digits: digits))/\(Figure.number(p99, digits: digits))"
    }

    private var groups: String {
        var table = TextTable(
            header: [
                "run", "thread group", "threads", "CPU %", "switches/s", "run queue ms/s",
                "ms for each switch",
            ], leftColumns: [0, 1])
        for (index, run) in runs.enumerated() {
            for group in run.groups {
                table.rows.append([
                    "#\(index + 1)", group.name, Figure.number(group.threads, digits: 0),
                    Figure.number(group.cpuPercent),
                    Figure.number(group.switchesPerSecond, digits: 0),
                    Figure.number(group.runQueueMillisecondsPerSecond, digits: 2),
                    Figure.number(group.waitPerSwitchMilliseconds, digits: 4),
                ])
            }
        }
        return table.rows.isEmpty
            ? "" : "THREADS OF THE SERVER (run queue: runnable, without a CPU)\n" + table.text
    }

    // MARK: Figure

    public static let figureName = "delay-vs-threads.svg"
    private static let colors = ["#2563eb", "#db5c1f"]

    /// Delay against the number of the server's threads, as an SVG file; empty if no run tells its
    /// threads.
    public var figure: String {
        let points = runs.compactMap { run in run.whole.map { (run, $0.threads) } }
            .sorted { $0.1 < $1.1 }
        let chart = LineChart(
            title: "Delay against the server's threads", xLabel: "threads of the server",
            yLabel: "delay, ms",
            series: Percentile.allCases.map { percentile in
                .init(
                    name: percentile.rawValue,
                    points: points.map { (x: $0.1, y: delay($0.0, percentile)) })
            })
        let drawn = chart.svg
        guard drawn.hasPrefix("<svg ") else { return "" }
        var legend = ""
        var style = "polyline{fill:none;stroke-width:2} .axis{font:12px sans-serif;fill:#5d6778} "
        style += ".grid{stroke:#e1e5eb}"
        for (index, percentile) in Percentile.allCases.enumerated() {
            let color = Self.colors[index % Self.colors.count]
            style += " .s\(index){stroke:\(color)}"
            legend +=
                "<text x=\"\(80 + 60 * index)\" y=\"14\" font-family=\"sans-serif\" font-size=\"12\" fill=\"\(color)\">\(percentile.rawValue)</text>"
        }
        let inner = String(drawn.dropFirst("<svg ".count).dropLast("</svg>".count))
        return
            "<svg xmlns=\"http://www.w3.org/2000/svg\" \(inner)<style>\(style)</style>\(legend)</svg>\n"
    }
}
