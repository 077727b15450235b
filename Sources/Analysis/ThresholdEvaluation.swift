package import Results
package import Scenario
package import Statistics

/// One measured figure with its tags.
package struct MetricSample: Sendable {
    package enum Value: Sendable {
        /// Delays, for metrics in milliseconds.
        case distribution(DelayHistogram)
        /// A counter or a single value, in the unit of the metric.
        case number(Double)
    }

    package var metric: Metric
    /// Values by the names of the tags, such as `viewer` by `vantage`.
    package var tags: [String: String]
    package var value: Value

    package init(metric: Metric, tags: [String: String] = [:], value: Value) {
        self.metric = metric
        self.tags = tags
        self.value = value
    }
}

extension Threshold {
    /// Judges the threshold by the samples that have its metric and its tags.
    ///
    /// `delay_ms` is the viewers' delay if the tags name no vantage point. Counters are added.
    /// Distributions are merged if they have the same vantage point and the same role. If several
    /// merged distributions or several values remain, each must hold: the observed value is the
    /// first that does not, or the first of all. Without a matching sample the threshold fails and
    /// has no observed value.
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
