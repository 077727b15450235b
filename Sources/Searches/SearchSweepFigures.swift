import Results
import Scenario
import SimulationKernel
import Statistics

/// The figures of a sweep: the capacity for each value, how it scales, and the size to take.
struct SearchSweepFigures {
    static let noFitWords = "no fit of the scaling law"
    static let openWords = "the capacity is only known to be at least the one given for"

    let plan: SearchPlan

    /// The values for which the server's own limit was not reached in some search.
    private func openValues(_ summary: SearchSummary) -> [String] {
        summary.points.map(\.value).filter { value in
            summary.searches.contains { $0.value == value && $0.capacity != nil && $0.isOpen }
        }
    }

    func fill(_ summary: inout SearchSummary) {
        guard plan.search.sweep != nil else { return }
        summary.points = points(summary)
        (summary.scaling, summary.recommended) = (nil, nil)
        guard sizes(summary) != nil else { return }
        summary.recommended = recommended(summary)
        do throws(USLFit.Fault) {
            let fit = try USLFit(samples(summary), seed: plan.scenario.seed)
            summary.scaling = SearchSummary.Scaling(fit)
        } catch {
            summary.notes.append("\(Self.noFitWords): \(error)")
        }
        let open = openValues(summary)
        if !open.isEmpty {
            summary.notes.append(
                Self.openWords + " \(open.joined(separator: ", ")); the scaling law and the "
                    + "recommendation take them as they are")
        }
    }

    /// The numbers of the sweep, in its order; nil if it is over something else.
    private func sizes(_ summary: SearchSummary) -> [Int]? {
        let numbers = (plan.search.sweep?.values ?? []).map { value -> Int? in
            if case .number(let number) = value, number > 0 { number } else { nil }
        }
        return numbers.contains(nil) ? nil : numbers.compactMap { $0 }
    }

    /// The capacity of each search that has one, by its size.
    private func samples(_ summary: SearchSummary) -> [USLFit.Point] {
        zip(plan.cells, summary.searches).compactMap { cell, search in
            guard case .number(let size)? = cell.value, let capacity = search.capacity else {
                return nil
            }
            return USLFit.Point(size: size, capacity: Double(capacity))
        }
    }

    private func points(_ summary: SearchSummary) -> [SearchSummary.Point] {
        (plan.search.sweep?.values ?? []).compactMap { value in
            let own = summary.searches.indices.filter {
                plan.cells.indices.contains($0) && plan.cells[$0].value == value
                    && summary.searches[$0].capacity != nil
            }
            let capacities = own.compactMap { summary.searches[$0].capacity }.map(Double.init)
            guard !capacities.isEmpty else { return nil }
            // A search knows its capacity no better than its bounds.
            let limits = own.map { index in
                let search = summary.searches[index]
                return Double(search.limit ?? search.capacity ?? 0)
            }
            let mean = Self.mean(capacities)
            var point = SearchSummary.Point(
                value: value.words, capacity: mean,
                low: min(mean, interval(capacities, "lower/\(value.words)").lowerBound),
                high: max(mean, interval(limits, "upper/\(value.words)").upperBound),
                searches: capacities.count)
            let loads = own.flatMap { index in
                summary.verdicts(ofSearch: index, load: summary.searches[index].capacity ?? 0)
            }
            let used = loads.compactMap(\.serverCPUPercent)
            if !used.isEmpty { point.serverCPUPercent = Self.mean(used) }
            return point
        }
    }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(max(1, values.count))
    }

    /// The 95 % interval of a mean; of one value, the value.
    private func interval(_ values: [Double], _ entity: String) -> ClosedRange<Double> {
        var generator = SeededGenerator(seed: plan.scenario.seed, entity: "capacity/\(entity)")
        let mean = Self.mean(values)
        return Bootstrap.meanInterval(values, using: &generator) ?? mean...mean
    }

    /// The smallest size whose interval reaches that of the size with the largest capacity.
    private func recommended(_ summary: SearchSummary) -> String? {
        let known = summary.points.compactMap { point in
            Int(point.value).map { (size: $0, point: point) }
        }
        guard let best = known.max(by: { $0.point.capacity < $1.point.capacity }) else {
            return nil
        }
        return known.filter { $0.point.high >= best.point.low }.min { $0.size < $1.size }?
            .point.value
    }
}

extension SearchSummary.Scaling {
    /// The parameters of a fit.
    init(_ fit: USLFit) {
        func estimate(_ value: USLFit.Estimate) -> SearchSummary.Estimate {
            .init(value: value.value, low: value.low, high: value.high)
        }
        self.init(
            lambda: estimate(fit.lambda), contention: estimate(fit.sigma),
            coherency: estimate(fit.kappa), peak: fit.peakInsideSweep.map(estimate),
            rSquared: fit.rSquared)
    }
}
