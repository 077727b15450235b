import Results
import Scenario
import SimulationKernel
import Statistics

/// The figures of a sweep: the capacity for each value, how it scales, and the size to take.
struct SearchSweepFigures {
    let plan: SearchPlan

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
            let note = "no fit of the scaling law: \(error)"
            if !summary.notes.contains(note) { summary.notes.append(note) }
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
            guard let first = own.first, !capacities.isEmpty else { return nil }
            let mean = capacities.reduce(0, +) / Double(capacities.count)
            var generator = SeededGenerator(
                seed: plan.scenario.seed, entity: "capacity/\(value.words)")
            let interval =
                Bootstrap.meanInterval(capacities, using: &generator)
                ?? mean...max(mean, summary.searches[first].limit.map(Double.init) ?? mean)
            var point = SearchSummary.Point(
                value: value.words, capacity: mean, low: interval.lowerBound,
                high: interval.upperBound, searches: capacities.count)
            let loads = own.flatMap { index in
                summary.verdicts(ofSearch: index, load: summary.searches[index].capacity ?? 0)
            }
            let used = loads.compactMap(\.serverCPUPercent)
            if !used.isEmpty {
                point.serverCPUPercent = used.reduce(0, +) / Double(used.count)
            }
            return point
        }
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
