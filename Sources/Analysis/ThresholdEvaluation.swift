package import Results
package import Scenario
package import Statistics

/// One measured figure with its tags.
package struct MetricSample: Sendable {
    package enum Value: Sendable {
        case distribution(DelayHistogram)
        case number(Double)
    }

    package var metric: Metric
    package var tags: [String: String]
    package var value: Value

    package init(metric: Metric, tags: [String: String] = [:], value: Value) {
        self.metric = metric
        self.tags = tags
        self.value = value
    }
}

extension Threshold {
    /// Judges the threshold. Distributions of one vantage point (and one role) are merged, and
    /// counters are added. Of several distributions or values, the worst counts. If both viewers
    /// and wire have a metric, the viewers' figure counts unless `vantage` says otherwise. Without
    /// a matching figure the threshold fails and has no observed value.
    package func evaluate(_ samples: [MetricSample]) -> ThresholdResult {
        var tags = tags
        if metric == .delayMilliseconds, tags["vantage"] == nil { tags["vantage"] = "viewer" }
        let matching = samples.filter { sample in
            sample.metric == metric && tags.allSatisfy { sample.tags[$0.key] == $0.value }
        }
        let observed = observe(matching)
        return ThresholdResult(
            metric: selector, expression: expression, observed: observed, limit: limit,
            passed: observed.map { comparison.holds($0, limit) } ?? false)
    }

    private func observe(_ samples: [MetricSample]) -> Double? {
        var merged: [String: DelayHistogram] = [:]
        var numbers: [Double] = []
        for sample in samples {
            switch sample.value {
            case .distribution(let histogram):
                let kind = "\(sample.tags["vantage"] ?? "")/\(sample.tags["role"] ?? "")"
                merged[kind, default: .init()].add(histogram)
            case .number(let number): numbers.append(number)
            }
        }
        if aggregation == .count { return numbers.isEmpty ? nil : numbers.reduce(0, +) }
        if aggregation != .value {
            numbers = merged.sorted { $0.key < $1.key }.compactMap { figure(of: $0.value) }
        }
        return numbers.first { !comparison.holds($0, limit) } ?? numbers.first
    }

    private func figure(of delay: DelayHistogram) -> Double? {
        switch aggregation {
        case .percentile(let percentile): delay.milliseconds(atPercentile: percentile)
        case .median: delay.milliseconds(atPercentile: 50)
        case .minimum: delay.milliseconds(atPercentile: 0)
        case .maximum: delay.maximumMilliseconds
        case .mean: delay.meanMilliseconds
        case .count, .value: nil
        }
    }
}
