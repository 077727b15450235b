import SimulationKernel
import Testing

@testable import Statistics

@Suite struct BootstrapTests {
    /// For means over groups of one, the interval is that of the mean; for a pooled percentile, it
    /// contains that percentile.
    @Test func groups() throws {
        let values = (0..<40).map { Double($0 * $0 % 37) }
        var (one, other) = (
            SeededGenerator(seed: 1, entity: "x"), SeededGenerator(seed: 1, entity: "x")
        )
        let expected = Bootstrap.meanInterval(values, using: &one)
        let actual = Bootstrap.interval(groups: 40, using: &other) { drawn in
            drawn.reduce(0) { $0 + values[$1] } / 40
        }
        #expect(actual == expected && expected != nil)
        // In groups of two, the mean of the 5th percentiles is far above the pooled one.
        let groups = (0..<20).map { [Double($0), 1000] }
        let pooled = Quantile.of(groups.flatMap { $0 }, 0.05)
        let interval = try #require(
            Bootstrap.interval(groups: 20, using: &one) { drawn in
                Quantile.of(drawn.flatMap { groups[$0] }, 0.05)
            })
        #expect(interval.contains(pooled))
        #expect(Bootstrap.interval(groups: 1, using: &one) { _ in 1 } == nil)
    }

    /// For many values the interval is that of the normal approximation, mean ± 1.96 s / √n.
    @Test func agreesWithTheNormalApproximation() throws {
        var random = SeededGenerator(seed: 1, entity: "values")
        let values = (0..<400).map { _ in random.nextUnit() * 10 }
        let mean = values.reduce(0, +) / 400
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 400
        let half = 1.96 * (variance / 400).squareRoot()
        let interval = try #require(
            Bootstrap.meanInterval(values, resamples: 10_000, using: &random))
        #expect(abs(interval.lowerBound - (mean - half)) < 0.1 * half)
        #expect(abs(interval.upperBound - (mean + half)) < 0.1 * half)
    }

    @Test func fewValues() {
        var random = SeededGenerator(seed: 1)
        #expect(Bootstrap.meanInterval([], using: &random) == nil)
        #expect(Bootstrap.meanInterval([1], using: &random) == nil)
        #expect(Bootstrap.meanInterval([2, 2, 2], using: &random) == 2...2)
    }

    /// R's quantile(c(1, 2, 4, 8), type = 7) gives the same values.
    @Test func quantiles() {
        let values = [1.0, 2, 4, 8]
        #expect(Quantile.sorted(values, 0) == 1)
        #expect(Quantile.sorted(values, 0.25) == 1.75)
        #expect(Quantile.sorted(values, 0.5) == 3)
        #expect(Quantile.sorted(values, 1) == 8)
        #expect(Quantile.of([.nan, 8, 1, 4, 2], 0.5) == 3)
        #expect(Quantile.of([], 0.5).isNaN)
    }
}
