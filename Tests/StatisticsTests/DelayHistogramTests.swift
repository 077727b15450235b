import Foundation
import SimulationKernel
import Testing

@testable import Statistics

@Suite struct DelayHistogramTests {
    @Test func percentilesToThreeDigits() throws {
        var histogram = DelayHistogram()
        #expect(histogram.milliseconds(atPercentile: 50) == nil)
        #expect(histogram.meanMilliseconds == nil)
        for value in 1...1000 { histogram.record(nanoseconds: Int64(value) * 1_000_000) }
        for percentile in [1.0, 50, 90, 99, 100] {
            let value = try #require(histogram.milliseconds(atPercentile: percentile))
            #expect(abs(value - percentile * 10) <= percentile * 10 * 0.001 + 0.01)
        }
        #expect(histogram.count == 1000)
        #expect(histogram.meanMilliseconds == 500.5)
        #expect(histogram.maximumMilliseconds == 1000)
    }

    /// A clock disagreement is not a delay, and is counted separately.
    @Test func negativeValues() {
        var histogram = DelayHistogram()
        histogram.record(nanoseconds: -1)
        histogram.record(nanoseconds: 0)
        #expect(histogram.count == 1)
        #expect(histogram.negativeCount == 1)
        #expect(histogram.milliseconds(atPercentile: 100) == 0)
    }

    @Test func beyondAnHour() {
        var histogram = DelayHistogram()
        histogram.record(nanoseconds: .max)
        #expect(histogram.count == 1)
        #expect(histogram.maximumMilliseconds == 3_600_000)
    }

    /// A histogram that goes through a pipe in parts and is added up equals the whole one.
    @Test func partsAddUp() throws {
        var random = SeededGenerator(seed: 11)
        var whole = DelayHistogram()
        var sum = DelayHistogram()
        for _ in 0..<10 {
            var part = DelayHistogram()
            for _ in 0..<1000 {
                let value = Int64.random(in: -10...5_000_000_000, using: &random)
                whole.record(nanoseconds: value)
                part.record(nanoseconds: value)
            }
            let bytes = try JSONEncoder().encode(part)
            sum.add(try JSONDecoder().decode(DelayHistogram.self, from: bytes))
        }
        #expect(sum.count == whole.count)
        #expect(sum.negativeCount == whole.negativeCount)
        #expect(sum.maximumMilliseconds == whole.maximumMilliseconds)
        for percentile in stride(from: 0.5, to: 100, by: 0.5) {
            let (a, b) = (
                sum.milliseconds(atPercentile: percentile),
                whole.milliseconds(atPercentile: percentile)
            )
            #expect(a == b)
        }
        // The extremes are exact before the pipe; after it they are the end of a bucket.
        for percentile in [0.0, 100] {
            let a = try #require(sum.milliseconds(atPercentile: percentile))
            let b = try #require(whole.milliseconds(atPercentile: percentile))
            #expect(abs(a - b) <= b * 0.001)
        }
    }

    /// Durations up to 2,047 ns have buckets of their own; each doubling has 1,024 buckets.
    @Test func bucketsOfThreeDigits() throws {
        var histogram = DelayHistogram()
        for value: Int64 in [300_000, 2048, 5000, 2047, 5003, 5004] {
            histogram.record(nanoseconds: value)
        }
        let bytes = try JSONEncoder().encode(histogram)
        let object = try JSONSerialization.jsonObject(with: bytes) as? [String: Any]
        let pairs = object?["values"] as? [Int]
        #expect(pairs == [2047, 1, 2049, 1, 5003, 2, 5007, 1, 300_031, 1])
        // A percentile is the end of its bucket, but no more than the longest duration.
        #expect(histogram.milliseconds(atPercentile: 50) == 0.005003)
        #expect(histogram.milliseconds(atPercentile: 0) == 0.002047)
        #expect(histogram.milliseconds(atPercentile: 100) == 0.3)
    }

    /// The buckets of a sum are in order, wherever those of its parts lie.
    @Test func bucketsOfASumAreInOrder() throws {
        var sum = DelayHistogram()
        for values: [Int64] in [[10, 30, 50], [60, 40, 30, 5], [30], []] {
            var part = DelayHistogram()
            for value in values { part.record(nanoseconds: value) }
            sum.add(part)
        }
        let bytes = try JSONEncoder().encode(sum)
        let object = try JSONSerialization.jsonObject(with: bytes) as? [String: Any]
        let pairs = object?["values"] as? [Int]
        #expect(pairs == [5, 1, 10, 1, 30, 3, 40, 1, 50, 1, 60, 1])
        #expect(sum.count == 8)
    }

    /// Pairs of a report may come in any order, and a count of 0 is no duration.
    @Test func pairsInAnyOrder() throws {
        let text = #"{"values":[300031,1,2047,2,5003,0],"negative":1,"max":300000,"sum":304094}"#
        let histogram = try JSONDecoder().decode(DelayHistogram.self, from: Data(text.utf8))
        #expect(histogram.count == 3)
        #expect(histogram.negativeCount == 1)
        #expect(histogram.milliseconds(atPercentile: 50) == 0.002047)
        #expect(histogram.milliseconds(atPercentile: 99) == 0.3)
    }

    @Test(arguments: [
        #"{"values":[1,1],"negative":-1,"max":1,"sum":1}"#,
        #"{"values":[1],"negative":0,"max":1,"sum":1}"#,
        #"{"values":[1,4294967296],"negative":0,"max":1,"sum":1}"#,
        #"{"values":[-1,1],"negative":0,"max":1,"sum":1}"#,
    ])
    func badReportsAreErrors(text: String) {
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode(DelayHistogram.self, from: Data(text.utf8))
        }
    }
}
