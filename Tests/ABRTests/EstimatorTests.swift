import Foundation
import Testing

@testable import ABR

@Suite struct EstimatorTests {
    static func title() throws -> Title {
        try Title(name: "t", segmentDuration: 4000, bitrates: [300, 1000, 3000], segmentCount: 30)
    }

    static func near(_ a: Double, _ b: Double, _ tolerance: Double = 1e-9) -> Bool {
        abs(a - b) <= tolerance * max(1, abs(b))
    }

    @Test func namesParse() {
        for name in EstimatorName.allCases {
            #expect(EstimatorName(parsing: name.description) == name)
            #expect(!name.summary.isEmpty)
        }
        #expect(EstimatorName(parsing: "mean") == nil)
        #expect(
            EstimatorName.allNames == [
                "ewma", "ewma-dashjs", "ewma-hlsjs", "ewma-shaka", "sliding", "harmonic",
                "weighted-median",
            ])
    }

    /// A constant link is estimated as it is, whatever the weights; a request that the server held
    /// back says nothing of the latency.
    @Test(arguments: EstimatorName.allCases)
    func constantLink(_ name: EstimatorName) throws {
        var estimator = name.make(try Self.title())
        #expect(estimator.throughput.isNaN)
        #expect(estimator.latency == 0)
        for _ in 0..<10 { estimator.add(bits: 8e6, transferTime: 4000, timeToFirstByte: 50) }
        #expect(Self.near(estimator.throughput, 2000))
        #expect(Self.near(estimator.latency, 50))
        estimator.add(bits: 8e6, transferTime: 4000, timeToFirstByte: .nan)
        #expect(Self.near(estimator.throughput, 2000))
        #expect(Self.near(estimator.latency, 50))
        // Nothing was transferred: no sample.
        estimator.add(bits: 0, transferTime: 0, timeToFirstByte: 50)
        #expect(Self.near(estimator.throughput, 2000))
    }

    /// Two samples of weight 3 s in half-lives of 3 s and 8 s: the fast average is
    /// (0.25 x1 + 0.5 x2) / 0.75, the slow one ((1 - k) k x1 + (1 - k) x2) / (1 - k^2),
    /// k = 0.5^(3/8).
    @Test func sabreAndDashJSByHand() {
        let k = pow(0.5, 3.0 / 8)
        let slow = (k * 1000 + 4000) / (1 + k)
        let fast = (0.25 * 1000 + 0.5 * 4000) / 0.75
        #expect(Self.near(fast, 3000))
        var sabre = EWMAEstimator(segmentDuration: 4000)
        sabre.add(bits: 3e6, transferTime: 3000, timeToFirstByte: 10)
        sabre.add(bits: 12e6, transferTime: 3000, timeToFirstByte: 10)
        #expect(Self.near(sabre.throughput, min(fast, slow)))
        // 2000 ms weigh 3 s; whole kbit/s.
        var dash = DashJSEstimator()
        dash.add(bits: 2e6, transferTime: 2000, timeToFirstByte: 10)
        dash.add(bits: 8e6, transferTime: 2000, timeToFirstByte: 10)
        #expect(dash.throughput == min(fast, slow).rounded())
        #expect(dash.throughput == 2694)
        // A fall: the fast average is the lower one, (250 * 4 + 0.5 * 1000) / 0.75 = 2000.
        var falling = DashJSEstimator()
        falling.add(bits: 8e6, transferTime: 2000, timeToFirstByte: 10)
        falling.add(bits: 2e6, transferTime: 2000, timeToFirstByte: 10)
        #expect(falling.throughput == 2000)
    }

    /// Half-lives of one and two samples; the higher counts.
    @Test func dashJSLatency() {
        var dash = DashJSEstimator()
        dash.add(bits: 1, transferTime: 1, timeToFirstByte: 100)
        dash.add(bits: 1, transferTime: 1, timeToFirstByte: 40)
        let fast = (0.25 * 100 + 0.5 * 40) / 0.75
        let r = 0.5.squareRoot()
        let slow = (r * 100 + 40) / (1 + r)
        #expect(Self.near(fast, 60))
        #expect(Self.near(dash.latency, max(fast, slow)))
        #expect(slow > fast)
    }

    /// The latency in excess of the expected one counts as transfer time; short transfers are
    /// stretched to 50 ms, or less for small ones.
    @Test func hlsJSByHand() {
        var plain = HLSJSEstimator()
        // The expected latency after one sample is that sample: 1000 ms of transfer remain.
        plain.add(bits: 2e6, transferTime: 1000, timeToFirstByte: 200)
        #expect(Self.near(plain.throughput, 2000))
        #expect(Self.near(plain.latency, 200))
        // 10 MB in 20 ms: counts as 50 ms.
        var fast = HLSJSEstimator()
        fast.add(bits: 80e6, transferTime: 20, timeToFirstByte: .nan)
        #expect(Self.near(fast.throughput, 80e6 / 50))
        #expect(fast.latency == 0)
        // 1 MB in 5 ms: counts as 10 ms.
        var small = HLSJSEstimator()
        small.add(bits: 8e6, transferTime: 5, timeToFirstByte: .nan)
        #expect(Self.near(small.throughput, 8e6 / 10))
        // Less than 5 ms of latency is 5 ms.
        var near = HLSJSEstimator()
        near.add(bits: 8e6, transferTime: 1000, timeToFirstByte: 1)
        #expect(Self.near(near.latency, 5))
    }

    /// Second sample with a surprising latency: weights are sqrt(2) e^(-s^2/2).
    @Test func hlsJSLatencyWeights() {
        var estimator = HLSJSEstimator()
        estimator.add(bits: 1e6, transferTime: 1000, timeToFirstByte: 100)
        estimator.add(bits: 1e6, transferTime: 1000, timeToFirstByte: 1100)
        let first = 2.0.squareRoot() * exp(-0.01 / 2)
        let second = 2.0.squareRoot() * exp(-1.21 / 2)
        let a = pow(0.5, first / 9)
        let b = pow(0.5, second / 9)
        let latency = (b * (1 - a) * 100 + (1 - b) * 1100) / (1 - a * b)
        #expect(Self.near(estimator.latency, latency, 1e-6))
        // The second sample took 1000 ms and what was not expected of 1100 ms.
        let time = 1 + (1.1 - latency / 1000)
        let rate = 1e6 / (time * 1000)
        let kept = pow(0.5, time / 3)
        let start = pow(0.5, 1.0 / 3)
        let fast = (kept * (1 - start) * 1000 + (1 - kept) * rate) / (1 - start * kept)
        #expect(Self.near(estimator.throughput, fast, 1e-6))
    }

    @Test func shakaIgnoresSmallSamplesAndWaits() {
        var estimator = ShakaEstimator()
        estimator.add(bits: 15_999 * 8, transferTime: 1, timeToFirstByte: 10)
        estimator.add(bits: 127_999 * 8, transferTime: 1000, timeToFirstByte: 10)
        #expect(estimator.throughput.isNaN)
        estimator.add(bits: 16_000 * 8, transferTime: 125, timeToFirstByte: 10)
        #expect(!estimator.throughput.isNaN)
        #expect(Self.near(estimator.throughput, 1024, 1e-4))
        #expect(estimator.latency == 10)
    }

    @Test func slidingMeanWidens() {
        func mean(_ rates: [Double]) -> Double {
            var estimator = SlidingMeanEstimator()
            for rate in rates {
                estimator.add(bits: rate * 1000, transferTime: 1000, timeToFirstByte: 10)
            }
            return estimator.throughput
        }
        #expect(mean([1000]) == 1000)
        #expect(mean([1000, 2000, 3000]) == 2000)
        // Steady: the last four.
        #expect(mean([9000, 1000, 1000, 1000, 1000, 1000]) == 1000)
        // One jump within the window: five, and the jump beyond it is not looked at.
        #expect(mean([500, 1000, 1000, 1000, 1000, 1300]) == 1060)
        // A fall to 0.7 widens too, to 0.71 not.
        #expect(mean([5000, 1000, 1000, 1000, 700]) == 1740)
        #expect(mean([5000, 1000, 1000, 1000, 710]) == 927.5)
        // Never more than the samples there are.
        #expect(mean([1000, 2000, 4000, 8000, 16_000]) == 6200)
    }

    @Test func harmonicMeanOfFive() {
        var estimator = HarmonicMeanEstimator()
        for rate in [77.0, 1000, 2000, 4000, 4000] {
            estimator.add(bits: rate * 500, transferTime: 500, timeToFirstByte: 10)
        }
        // Still holds the first.
        #expect(estimator.throughput < 400)
        estimator.add(bits: 2000 * 500, transferTime: 500, timeToFirstByte: 10)
        // 5 / (1 + 1/2 + 1/4 + 1/4 + 1/2) Mbit/s
        #expect(Self.near(estimator.throughput, 2000))
    }

    @Test func weightedMedianByHand() {
        var estimator = WeightedMedianEstimator()
        // 1 MB (weight 1000) in 1 s: 8000 kbit/s; 1 MB exceeds 512 KiB.
        estimator.add(bits: 8e6, transferTime: 1000, timeToFirstByte: 10)
        #expect(estimator.throughput == 8000)
        // 160 kB (weight 400) at 1000 kbit/s: half of 1400 is reached at 8000.
        estimator.add(bits: 1.28e6, transferTime: 1280, timeToFirstByte: 10)
        #expect(estimator.throughput == 8000)
        // 360 kB (weight 600) at 2000: half of 2000 is reached by 400 + 600.
        estimator.add(bits: 2.88e6, transferTime: 1440, timeToFirstByte: 10)
        #expect(estimator.throughput == 2000)
        // 1 MB at 500 pushes the first out whole: 1000 + 400 >= 1000 at 500 itself.
        estimator.add(bits: 8e6, transferTime: 16_000, timeToFirstByte: 10)
        #expect(estimator.throughput == 500)
    }

    @Test func weightedMedianWaitsForTwoSecondsOrHalfAMebibyte() {
        var slow = WeightedMedianEstimator()
        slow.add(bits: 1e6, transferTime: 1999, timeToFirstByte: 10)
        #expect(slow.throughput.isNaN)
        slow.add(bits: 1e3, transferTime: 1, timeToFirstByte: 10)
        #expect(!slow.throughput.isNaN)
        var fast = WeightedMedianEstimator()
        fast.add(bits: 524_287 * 8, transferTime: 10, timeToFirstByte: 10)
        #expect(fast.throughput.isNaN)
        fast.add(bits: 8, transferTime: 1, timeToFirstByte: 10)
        #expect(!fast.throughput.isNaN)
    }
}
