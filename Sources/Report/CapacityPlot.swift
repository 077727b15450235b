public import Results

/// `plots/capacity.svg` of a search: capacity over the values of a sweep of numbers, or else the
/// bracket of a search as it closed.
public struct CapacityPlot {
    private let summary: SearchSummary

    public init(_ summary: SearchSummary) { self.summary = summary }

    /// A picture that stands alone; empty if there is nothing to draw.
    public var svg: String {
        let drawn = chart
        let body = drawn.svg
        guard !body.isEmpty else { return "" }
        let open = "<svg "
        guard body.hasPrefix(open) else { return "" }
        let lines = drawn.series.filter { !$0.points.isEmpty }
        let names = lines.enumerated().map { index, line in
            "<text class=\"axis\" x=\"72\" y=\"\(28 + 16 * index)\" "
                + "style=\"fill:var(--c\(index % 8))\">\(Markup.escaped(line.name))</text>"
        }.joined()
        let end = "</svg>"
        let inner = String(body.dropFirst(open.count).dropLast(end.count))
        let style = "<style>\(HTMLStyle.sheet)</style>"
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" \(inner)\(style)\(names)\(end)\n"
    }

    private var unit: String { summary.variesBitrate ? "Mbit/s" : summary.noun }

    private func value(_ load: Double) -> Double { summary.variesBitrate ? load / 1e6 : load }

    private var chart: LineChart {
        let sizes = summary.points.compactMap { point in
            Double(point.value).map { (size: $0, point: point) }
        }.sorted { $0.size < $1.size }
        if sizes.count > 1, sizes.count == summary.points.count {
            var series = [
                LineChart.Series(
                    name: "capacity",
                    points: sizes.map { (x: $0.size, y: value($0.point.capacity)) }),
                LineChart.Series(
                    name: "low end of the interval",
                    points: sizes.map { (x: $0.size, y: value($0.point.low)) }),
                LineChart.Series(
                    name: "high end of the interval",
                    points: sizes.map { (x: $0.size, y: value($0.point.high)) }),
            ]
            if let scaling = summary.scaling {
                series.append(
                    LineChart.Series(
                        name: "scaling law", points: curve(scaling, to: sizes.last?.size ?? 1)))
            }
            return LineChart(
                title: "Capacity over \(summary.sweptKey)", xLabel: summary.sweptNoun,
                yLabel: unit, series: series)
        }
        guard summary.searches.count == 1 else {
            return LineChart(
                title: "Loads of the trials", xLabel: "trial of the search", yLabel: unit,
                series: summary.searches.indices.prefix(16).map(loads))
        }
        let trials = summary.trials.filter { $0.voidReason == nil }
        func series(_ name: String, _ keep: (SearchSummary.Trial) -> Bool) -> LineChart.Series {
            LineChart.Series(
                name: name,
                points: trials.filter(keep).map {
                    (x: Double($0.number), y: value(Double($0.load)))
                })
        }
        return LineChart(
            title: "Loads of the trials", xLabel: "trial", yLabel: unit,
            series: [
                series("trials", { _ in true }),
                series("good", { $0.verdicts.allSatisfy(\.good) }),
                series("bad", { !$0.verdicts.allSatisfy(\.good) }),
            ])
    }

    /// The loads of one search of several, by the number of the trial in it.
    private func loads(_ search: Int) -> LineChart.Series {
        let own = summary.searches[search]
        let trials = summary.trials.filter { $0.search == search && $0.voidReason == nil }
        return LineChart.Series(
            name: own.repetition > 1 ? "\(own.value), repeat \(own.repetition)" : own.value,
            points: trials.enumerated().map { (x: Double($0 + 1), y: value(Double($1.load))) })
    }

    /// The fitted curve in a hundred steps.
    private func curve(
        _ scaling: SearchSummary.Scaling, to last: Double
    ) -> [(x: Double, y: Double)] {
        let (lambda, sigma) = (scaling.lambda.value, scaling.contention.value)
        let kappa = scaling.coherency.value
        return (0...100).map { step in
            let n = 1 + (last - 1) * Double(step) / 100
            let load = lambda * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))
            return (x: n, y: value(load))
        }
    }
}
