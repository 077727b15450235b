public import SimulationKernel

/// Confidence intervals by resampling (percentile bootstrap; Efron and Tibshirani 1993, ch. 13).
public enum Bootstrap {
    public static let defaultResamples = 2000

    /// Returns the central interval of the means of resampled `values`.
    /// - Parameters:
    ///   - level: Coverage, in (0, 1).
    ///   - generator: Random stream; the same stream gives the same interval.
    /// - Returns: nil for fewer than two values.
    public static func meanInterval(
        _ values: [Double], level: Double = 0.95, resamples: Int = defaultResamples,
        using generator: inout SeededGenerator
    ) -> ClosedRange<Double>? {
        precondition(level > 0 && level < 1 && resamples > 0)
        guard values.count > 1 else { return nil }
        var means: [Double] = []
        means.reserveCapacity(resamples)
        for _ in 0..<resamples {
            var sum = 0.0
            for _ in values.indices { sum += values[index(below: values.count, &generator)] }
            means.append(sum / Double(values.count))
        }
        means.sort()
        let tail = (1 - level) / 2
        return Quantile.sorted(means, tail)...Quantile.sorted(means, 1 - tail)
    }

    /// Returns the central interval of a statistic over resampled groups, such as a percentile over
    /// the members of all groups together.
    /// - Parameters:
    ///   - groups: Number of groups.
    ///   - statistic: Function of the indices of the groups that were drawn.
    /// - Returns: nil for fewer than two groups.
    public static func interval(
        groups: Int, level: Double = 0.95, resamples: Int = defaultResamples,
        using generator: inout SeededGenerator, statistic: ([Int]) -> Double
    ) -> ClosedRange<Double>? {
        precondition(level > 0 && level < 1 && resamples > 0)
        guard groups > 1 else { return nil }
        var values: [Double] = []
        values.reserveCapacity(resamples)
        for _ in 0..<resamples {
            values.append(statistic((0..<groups).map { _ in index(below: groups, &generator) }))
        }
        values.sort()
        let tail = (1 - level) / 2
        return Quantile.sorted(values, tail)...Quantile.sorted(values, 1 - tail)
    }

    /// Draws uniformly from 0..<count; the bias of the multiplication is below count / 2^64.
    private static func index(below count: Int, _ generator: inout SeededGenerator) -> Int {
        Int(UInt64(count).multipliedFullWidth(by: generator.next()).high)
    }
}

/// Quantiles of small samples.
public enum Quantile {
    /// Interpolates linearly between order statistics (Hyndman and Fan's type 7).
    /// - Parameters:
    ///   - values: Values in ascending order, at least one.
    ///   - q: Quantile, 0 to 1.
    public static func sorted(_ values: [Double], _ q: Double) -> Double {
        precondition(!values.isEmpty && (0...1).contains(q))
        let place = q * Double(values.count - 1)
        let below = Int(place)
        guard below + 1 < values.count else { return values[values.count - 1] }
        return values[below] + (place - Double(below)) * (values[below + 1] - values[below])
    }

    /// Returns a quantile of `values`, leaving out those that are NaN; NaN if no values are left.
    public static func of(_ values: [Double], _ q: Double) -> Double {
        let known = values.filter { !$0.isNaN }.sorted()
        return known.isEmpty ? .nan : sorted(known, q)
    }
}
