import Results
import Statistics
import Testing

@testable import Analysis
@testable import Scenario

@Suite struct ThresholdTests {
    static func threshold(_ selector: String, _ expression: String) throws -> Threshold {
        try Threshold.parse(selector: selector, expression: expression).get()
    }

    static func distribution(_ milliseconds: [Int64]) -> MetricSample.Value {
        var histogram = DelayHistogram()
        for value in milliseconds { histogram.record(nanoseconds: value * 1_000_000) }
        return .distribution(histogram)
    }

    @Test func judgesByTags() throws {
        let samples = [
            MetricSample(
                metric: .delayMilliseconds, tags: ["rendition": "a", "vantage": "viewer"],
                value: Self.distribution([10, 20, 30])),
            MetricSample(
                metric: .delayMilliseconds, tags: ["rendition": "b", "vantage": "viewer"],
                value: Self.distribution([500])),
            MetricSample(metric: .framesMissing, value: .number(2)),
            MetricSample(metric: .framesMissing, value: .number(1)),
            MetricSample(metric: .payloadKilobits, tags: ["rendition": "a"], value: .number(2600)),
            MetricSample(metric: .payloadKilobits, tags: ["rendition": "a"], value: .number(2400)),
        ]
        func verdict(_ selector: String, _ expression: String) throws -> (Double?, Bool) {
            let result = try Self.threshold(selector, expression).evaluate(samples)
            return (result.observed.map { $0.rounded() }, result.passed)
        }
        #expect(try verdict("delay_ms{rendition:a}", "p(99)<200") == (30, true))
        #expect(try verdict("delay_ms", "max<200") == (500, false))
        #expect(try verdict("delay_ms{rendition:a,vantage:viewer}", "avg<=20") == (20, true))
        #expect(try verdict("frames_missing", "count==0") == (3, false))
        #expect(try verdict("payload_kbps{rendition:a}", "value>2500") == (2400, false))
        #expect(try verdict("stall_ratio", "value<1") == (nil, false))
    }

    /// Delays of the relay and of viewers are never mixed, because the first is part of the second;
    /// figures of different roles are not mixed either.
    @Test func neverMixesVantagePoints() throws {
        func sample(_ metric: Metric, _ tag: String, _ value: String, _ ms: [Int64]) -> MetricSample
        {
            MetricSample(metric: metric, tags: [tag: value], value: Self.distribution(ms))
        }
        let samples = [
            sample(.delayMilliseconds, "vantage", "wire", [1, 1, 1, 1, 1]),
            sample(.delayMilliseconds, "vantage", "viewer", [40]),
            sample(.generatorLagMilliseconds, "role", "publishers", [1, 1, 1, 1]),
            sample(.generatorLagMilliseconds, "role", "viewers", [90]),
        ]
        func observed(_ selector: String, _ expression: String) throws -> Double? {
            try Self.threshold(selector, expression).evaluate(samples).observed?.rounded()
        }
        #expect(try observed("delay_ms", "p(50)<10") == 40)
        #expect(try observed("delay_ms{vantage:wire}", "p(50)<10") == 1)
        #expect(try observed("generator_lag_ms", "p(50)<10") == 90)
        #expect(try observed("generator_lag_ms{role:publishers}", "p(50)<10") == 1)
    }

    @Test(arguments: ["p99<1", "p(101)<1", "count", "value>>1", "count==x", ""])
    func rejects(expression: String) {
        #expect(Threshold.parseExpression(expression) == nil)
    }
}
