public import Results
import Statistics

/// A ladder choice as text.
public struct LadderReport {
    private let summary: LadderSummary

    public init(_ summary: LadderSummary) { self.summary = summary }

    public var text: String {
        guard let chosen = summary.ladders.first else { return "no ladder\n" }
        let search =
            summary.method == "exact"
            ? "all \(summary.setsPossible) ladders simulated"
            : "local search, \(summary.setsEvaluated) of \(summary.setsPossible) ladders simulated"
        return """
            LADDER  \(summary.scenario)
              run \(summary.runID), \(summary.method): \(search)
              objective: \(summary.statistic) over viewers of QoE (\(summary.qoe)) per segment, \
            \(summary.seeds) × \(summary.viewers) viewers; judged with seeds that the search did not see

            CHOSEN  \(rungs(chosen))
              with \(chosen.algorithm), a buffer of \(Figure.number(chosen.maxBufferS)) s, \
            device caps: \(chosen.deviceCaps)

            COMPARED (difference: to the chosen ladder, paired by seed; each ladder with its best setting)
            \(comparison)
            WHY EACH RUNG IS IN (loss: objective without it)
            \(contributions)
              \(summary.paretoFront) combinations on the Pareto front of QoE against CPU and egress: \
            combinations.csv

            """
    }

    private func rungs(_ ladder: LadderSummary.Ladder) -> String {
        ladder.rungs.map { "\(Figure.number($0.bitrateKbps, digits: 0))@\($0.height)" }
            .joined(separator: " ")
    }

    private var comparison: String {
        var table = TextTable(
            header: [
                "ladder", "rungs", "algorithm", "buffer s", "caps", "CPU", "egress", "stalled",
                "objective", "95 % interval", "difference", "95 % interval", "limits",
            ],
            leftColumns: [0, 1, 2, 4, 12])
        for ladder in summary.ladders {
            table.rows.append([
                ladder.name, rungs(ladder), ladder.algorithm, Figure.number(ladder.maxBufferS),
                ladder.deviceCaps, Figure.number(ladder.cpuCores, digits: 2),
                Figure.number(ladder.egressKbps, digits: 0), Figure.percent(ladder.stallRatio),
                Figure.number(ladder.objective, digits: 3),
                interval(ladder.objectiveLow, ladder.objectiveHigh),
                ladder.name == "chosen" ? "" : Figure.number(ladder.difference, digits: 3),
                ladder.name == "chosen"
                    ? "" : interval(ladder.differenceLow, ladder.differenceHigh),
                ladder.withinLimits ? "kept" : "BROKEN",
            ])
        }
        return table.text
    }

    private var contributions: String {
        var table = TextTable(
            header: ["rung", "share", "loss", "CPU", "egress", "why"], leftColumns: [0, 5])
        for contribution in summary.contributions {
            table.rows.append([
                "\(Figure.number(contribution.rung.bitrateKbps, digits: 0))@\(contribution.rung.height)",
                Figure.percent(contribution.share), Figure.number(contribution.loss, digits: 3),
                Figure.number(contribution.rung.cpuCores, digits: 2),
                Figure.number(contribution.egressKbps, digits: 0), contribution.why,
            ])
        }
        return table.text
    }

    private func interval(_ low: Double?, _ high: Double?) -> String {
        guard let low, let high else { return "–" }
        return "\(Figure.number(low, digits: 3)) … \(Figure.number(high, digits: 3))"
    }
}
