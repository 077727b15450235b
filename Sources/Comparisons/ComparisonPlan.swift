package import Gate
import Report
import Results
import Statistics

/// `plan.json`: how many blocks a comparison needs, from a pilot of the base against itself.
package struct ComparisonPlan: Encodable, Sendable {
    package var kind = "comparison_plan"
    package var schemaVersion = 1
    package var millraceVersion = MillraceVersion.current
    package var runID: String
    package var scenario: String
    package var base: ComparisonRecord.Side
    package var plan: PowerPlan
    package var notes: [String]
    package var trials: [ComparisonRecord.Trial]

    /// - Parameters:
    ///   - blocks: Complete blocks of the pilot.
    ///   - simulations: Number of simulated gates for each number of blocks.
    /// - Throws: `ComparisonFault` if no metric was measured or the pilot is not complete,
    ///   `GateFault`.
    package init(
        runID: String, scenario: String, base: ComparisonRecord.Side, settings: GateSettings,
        blocks: [GateBlock], trials: [ComparisonRecord.Trial], simulations: Int = 1000
    ) throws {
        guard blocks.count == settings.blocks else {
            throw ComparisonFault(
                "only \(blocks.count) of \(settings.blocks) blocks of the pilot are complete, so "
                    + "there is no plan")
        }
        let (metrics, out) = GateMetric.measured(settings.metrics, in: blocks)
        guard !metrics.isEmpty else {
            throw ComparisonFault(
                "the base has no figure of any metric: add viewers with probes to the scenario")
        }
        var settings = settings
        settings.metrics = metrics
        var options = PowerPlan.Options(seed: settings.seed)
        options.simulations = simulations
        plan = try PowerPlan(settings, pilot: blocks, options: options)
        (self.runID, self.scenario, self.base) = (runID, scenario, base)
        (notes, self.trials) = (out, trials)
    }

    /// A table of the metrics and, as the last line, the number of blocks.
    package var text: String {
        let wanted = Figure.number(plan.wantedPower * 100, digits: 0)
        var table = TextTable(
            header: ["metric", "spread", "blocks for 2δ", "power at 2δ", "detects"])
        table.rows = plan.metrics.map { metric in
            [
                metric.metric.title, Self.amount(metric.spread, metric.metric),
                metric.blocks.map { "\($0)" } ?? "–", Figure.percent(metric.power),
                Self.amount(metric.detectableChange, metric.metric),
            ]
        }
        var text = table.text + "\n"
        for metric in plan.metrics {
            if let reason = metric.reason { text += "  note: \(metric.metric.title): \(reason).\n" }
        }
        for note in notes { text += "  note: \(note)\n" }
        text +=
            "  \"detects\" is the smallest change for the worse that \(plan.givenBlocks) blocks\n"
        text += "  show with a probability of \(wanted) %; \"power\" is theirs too.\n\n"
        guard let blocks = plan.blocks else {
            return text + "PLAN  \(PowerPlan.mostBlocks) blocks do not show twice the allowed "
                + "change of every metric\n"
        }
        return text + "PLAN  --blocks \(blocks) shows twice the allowed change with a "
            + "probability of \(wanted) %\n"
    }

    private static func amount(_ value: Double?, _ metric: GateMetric) -> String {
        metric.kind == .ratio ? Figure.percent(value) : Figure.number(value, digits: 4)
    }
}
