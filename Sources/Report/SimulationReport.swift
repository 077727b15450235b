public import Results
import Statistics

/// A simulation's summary as text: a line per algorithm, buffer and ladder, over all traces.
public struct SimulationReport {
    private let summary: SimulationSummary

    public init(_ summary: SimulationSummary) { self.summary = summary }

    public var text: String {
        let isLive = summary.groups.contains { $0.figures.liveLatencyS != nil }
        var table = TextTable(
            header: [
                "ladder", "buffer s", "algorithm", "viewers", "kbit/s", "start-up s", "stalled",
                "switches/min",
            ] + (isLive ? ["latency s"] : []) + ["QoE lin", "95 % interval", "10th pct"],
            leftColumns: [0, 2])
        for group in summary.groups {
            let figures = group.figures
            table.rows.append(
                [
                    group.ladder, Figure.number(group.maxBufferS), group.algorithm,
                    String(figures.viewers), Figure.number(figures.meanBitrateKbps, digits: 0),
                    Figure.number(figures.startupS, digits: 2), Figure.percent(figures.stallRatio),
                    Figure.number(figures.switchesPerMinute, digits: 2),
                ] + (isLive ? [Figure.number(figures.liveLatencyS)] : []) + [
                    Figure.number(figures.qoeLin, digits: 3), interval(figures),
                    Figure.number(figures.qoeLinP10, digits: 3),
                ])
        }
        let state =
            summary.outcome == "complete"
            ? "" : ", INTERRUPTED after \(summary.cells.count) of \(summary.cellsPlanned) cells"
        return """
            SIMULATED  \(summary.scenario)\(state)
              run \(summary.runID), \(summary.cells.count) cells

            OVER ALL TRACES (QoE: Yin/Pensieve linear, per segment)
            \(table.text)
            """
    }

    private func interval(_ figures: SimulationSummary.Figures) -> String {
        guard let low = figures.qoeLinLow, let high = figures.qoeLinHigh else { return "–" }
        return "\(Figure.number(low, digits: 3)) … \(Figure.number(high, digits: 3))"
    }
}
