public import Results
public import Statistics

/// One measured figure with its tags.
public struct MetricSample: Sendable {
    public enum Value: Sendable {
        case distribution(DelayHistogram)
        case number(Double)
    }

    public var metric: Metric
    public var tags: [String: String]
    public var value: Value

    public init(metric: Metric, tags: [String: String] = [:], value: Value) {
        self.metric = metric
        self.tags = tags
        self.value = value
    }
}

extension Threshold {
    /// Judges the threshold. Distributions are merged, counters summed, and of values the worst
    /// counts. Without a matching figure the threshold fails with no observed value.
    public func evaluate(_ samples: [MetricSample]) -> ThresholdResult {
        let matching = samples.filter { sample in
            sample.metric == metric && tags.allSatisfy { sample.tags[$0.key] == $0.value }
        }
        let observed = observe(matching)
        return ThresholdResult(
            metric: selector, expression: expression, observed: observed, limit: limit,
            passed: observed.map { comparison.holds($0, limit) } ?? false)
    }

    private func observe(_ samples: [MetricSample]) -> Double? {
        var merged = DelayHistogram()
        var numbers: [Double] = []
        for sample in samples {
            switch sample.value {
            case .distribution(let histogram): merged.add(histogram)
            case .number(let number): numbers.append(number)
            }
        }
        switch aggregation {
        case .percentile(let percentile): return merged.milliseconds(atPercentile: percentile)
        case .median: return merged.milliseconds(atPercentile: 50)
        case .minimum: return merged.milliseconds(atPercentile: 0)
        case .maximum: return merged.maximumMilliseconds
        case .mean: return merged.meanMilliseconds
        case .count: return numbers.isEmpty ? nil : numbers.reduce(0, +)
        case .value: return numbers.first { !comparison.holds($0, limit) } ?? numbers.first
        }
    }
}
