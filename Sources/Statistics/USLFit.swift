import SimulationKernel

/// A fit of the Universal Scalability Law to the capacities of pools (Gunther 2007, chapter 4):
///
///     X(N) = λ N / (1 + σ (N − 1) + κ N (N − 1))
///
/// N is the size of the pool, λ the capacity of a pool of one, σ the contention (the share of the
/// work that only one thread can do at a time) and κ the coherency (the cost of an exchange between
/// each two threads). With κ > 0 the capacity has a peak at √((1 − σ) / κ).
///
/// The fit is by least squares with λ > 0, 0 ≤ σ ≤ 1 and κ ≥ 0. The intervals come from residuals
/// that are drawn again, added to the fitted curve and fitted again.
package struct USLFit: Hashable, Sendable {
    /// A measured capacity. A size may occur several times.
    package struct Point: Hashable, Sendable {
        /// Size of the pool, at least 1.
        package var size: Int
        /// Capacity in any unit, more than 0.
        package var capacity: Double

        package init(size: Int, capacity: Double) { (self.size, self.capacity) = (size, capacity) }
    }

    /// Reason why there is no fit, and what would mend that.
    package struct Fault: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// A parameter with its 95 % interval.
    package struct Estimate: Hashable, Sendable {
        package var value: Double
        package var low: Double
        package var high: Double
    }

    /// Smallest number of distinct sizes that a fit of three parameters needs.
    package static let fewestSizes = 6
    private static let largestSize = 1_000_000
    private static let mostPoints = 10_000
    private static let resamples = 400

    package let points: [Point]
    /// Capacity of a pool of one, in the unit of the points.
    package let lambda: Estimate
    /// Contention, 0 to 1.
    package let sigma: Estimate
    /// Coherency, at least 0.
    package let kappa: Estimate
    /// Size of the pool with the largest capacity; nil if the fitted curve has no peak.
    package let peakSize: Estimate?
    /// Share of the variance that the curve explains, at most 1.
    package let rSquared: Double

    /// - Parameter seed: Seed of the draws for the intervals.
    /// - Throws: `Fault` if the points do not determine the curve.
    package init(_ points: [Point], seed: UInt64 = 1) throws(Fault) {
        if let fault = Self.fault(of: points) { throw Fault(description: fault) }
        self.points = points
        let best = USLCurve.fit(points)
        let fitted = points.map { best.capacity(ofSize: Double($0.size)) }
        let residuals = zip(points, fitted).map { $0.capacity - $1 }
        let squares = residuals.reduce(0) { $0 + $1 * $1 }
        let mean = points.reduce(0) { $0 + $1.capacity } / Double(points.count)
        let variance = points.reduce(0) {
            $0 + ($1.capacity - mean) * ($1.capacity - mean)
        }
        rSquared = 1 - squares / variance

        // Residuals are smaller than errors, because three parameters were fitted to them.
        let inflation = (Double(points.count) / Double(points.count - 3)).squareRoot()
        var generator = SeededGenerator(seed: seed, entity: "usl")
        var curves: [USLCurve] = []
        for _ in 0..<Self.resamples {
            let drawn = zip(points, fitted).map { point, value in
                let place = Int(
                    UInt64(residuals.count).multipliedFullWidth(by: generator.next()).high)
                let capacity = value + residuals[place] * inflation
                return Point(size: point.size, capacity: max(capacity, value * 1e-3))
            }
            curves.append(USLCurve.fit(drawn))
        }
        lambda = Self.estimate(best.lambda, curves.map(\.lambda))
        sigma = Self.estimate(best.sigma, curves.map(\.sigma))
        kappa = Self.estimate(best.kappa, curves.map(\.kappa))
        peakSize = best.peakSize.map { peak in
            Self.estimate(peak, curves.compactMap(\.peakSize))
        }
    }

    /// The size with the largest capacity, if the points show that there is one: the coherency is
    /// not 0 anywhere in its interval, and the peak lies between the smallest and the largest size.
    package var peakInsideSweep: Estimate? {
        guard let peakSize, kappa.low > 0,
            let smallest = points.map(\.size).min(), let largest = points.map(\.size).max(),
            (Double(smallest)...Double(largest)).contains(peakSize.value)
        else { return nil }
        return peakSize
    }

    /// The fitted capacity of a pool of a size, at least 1.
    package func capacity(ofSize size: Double) -> Double {
        USLCurve(lambda: lambda.value, sigma: sigma.value, kappa: kappa.value)
            .capacity(ofSize: size)
    }

    private static func fault(of points: [Point]) -> String? {
        guard points.count <= mostPoints else {
            return "there are \(points.count) capacities; a fit takes at most \(mostPoints)"
        }
        let sizes = Set(points.map(\.size))
        guard sizes.allSatisfy({ (1...largestSize).contains($0) }) else {
            return "the sizes of pools must be 1 to \(largestSize)"
        }
        guard points.allSatisfy({ $0.capacity > 0 && $0.capacity < 1e15 }) else {
            return "every capacity must be more than 0; a pool without a capacity has no place in "
                + "the fit"
        }
        guard sizes.count >= fewestSizes else {
            return "the fit needs at least \(fewestSizes) sizes of the pool, and there are "
                + "\(sizes.count); add values to the sweep"
        }
        guard let least = points.map(\.capacity).min(), let most = points.map(\.capacity).max(),
            most - least > 1e-9 * most
        else {
            return "every pool has the same capacity, so its size makes no difference"
        }
        return nil
    }

    private static func estimate(_ value: Double, _ drawn: [Double]) -> Estimate {
        let sorted = drawn.filter(\.isFinite).sorted()
        guard !sorted.isEmpty else { return Estimate(value: value, low: value, high: value) }
        return Estimate(
            value: value, low: min(value, Quantile.sorted(sorted, 0.025)),
            high: max(value, Quantile.sorted(sorted, 0.975)))
    }
}

/// One curve of the law, and its fit by Levenberg and Marquardt's method.
struct USLCurve {
    var lambda: Double
    var sigma: Double
    var kappa: Double

    func capacity(ofSize n: Double) -> Double { lambda * n / divisor(n) }

    private func divisor(_ n: Double) -> Double { 1 + sigma * (n - 1) + kappa * n * (n - 1) }

    /// Size with the largest capacity; nil if the curve never falls, or falls from the beginning.
    var peakSize: Double? {
        guard kappa > 0, sigma < 1 else { return nil }
        let peak = ((1 - sigma) / kappa).squareRoot()
        return peak.isFinite && peak >= 1 ? peak : nil
    }

    /// Returns the curve with the least squares among the best of several starts.
    static func fit(_ points: [USLFit.Point]) -> USLCurve {
        let scale = points.map(\.capacity).max() ?? 1
        let sizes = points.map { Double($0.size) }
        let values = points.map { $0.capacity / scale }
        let perThread = zip(sizes, values).map { $1 / $0 }.max() ?? 1
        var best: (curve: USLCurve, squares: Double)?
        for (sigma, kappa) in [(0.0, 0.0), (0.1, 0.0), (0.05, 0.01), (0.5, 0.001), (0.9, 0.1)] {
            let start = USLCurve(lambda: perThread, sigma: sigma, kappa: kappa)
            let (curve, squares) = start.improved(sizes, values)
            if squares < best?.squares ?? .infinity { best = (curve, squares) }
        }
        var curve = best?.curve ?? USLCurve(lambda: perThread, sigma: 0, kappa: 0)
        curve.lambda *= scale
        return curve
    }

    private func squares(_ sizes: [Double], _ values: [Double]) -> Double {
        zip(sizes, values).reduce(0) { sum, pair in
            let difference = pair.1 - capacity(ofSize: pair.0)
            return sum + difference * difference
        }
    }

    /// Goes downhill from this curve until no step helps. A parameter at the end of its range is
    /// held there while the slope points outwards.
    private func improved(
        _ sizes: [Double], _ values: [Double]
    ) -> (curve: USLCurve, squares: Double) {
        var curve = self
        var least = curve.squares(sizes, values)
        var damping = 1e-3
        for _ in 0..<200 {
            let (matrix, slope) = curve.normalEquations(sizes, values)
            var hasImproved = false
            while damping < 1e12 {
                guard let step = curve.step(matrix, slope, damping) else {
                    damping *= 10
                    continue
                }
                let next = USLCurve(
                    lambda: max(1e-12, curve.lambda + step[0]),
                    sigma: min(1, max(0, curve.sigma + step[1])),
                    kappa: max(0, curve.kappa + step[2]))
                let squares = next.squares(sizes, values)
                if squares < least {
                    hasImproved = least - squares > 1e-15 * (least + 1e-30)
                    (curve, least) = (next, squares)
                    damping = max(1e-12, damping / 10)
                    break
                }
                damping *= 10
            }
            if !hasImproved { break }
        }
        return (curve, least)
    }

    /// Sums of the products of the derivatives, and of the derivatives with the differences.
    private func normalEquations(
        _ sizes: [Double], _ values: [Double]
    ) -> (matrix: [[Double]], slope: [Double]) {
        var matrix = [[Double]](repeating: [0, 0, 0], count: 3)
        var slope = [0.0, 0.0, 0.0]
        for (n, value) in zip(sizes, values) {
            let below = divisor(n)
            let fitted = lambda * n / below
            let derivatives = [
                n / below, -fitted * (n - 1) / below, -fitted * n * (n - 1) / below,
            ]
            for i in 0..<3 {
                slope[i] += derivatives[i] * (value - fitted)
                for j in 0..<3 { matrix[i][j] += derivatives[i] * derivatives[j] }
            }
        }
        return (matrix, slope)
    }

    /// Solves the damped equations for the parameters that may move; nil if they are singular.
    private func step(
        _ matrix: [[Double]], _ slope: [Double], _ damping: Double
    ) -> [Double]? {
        let isHeld = [
            false, sigma <= 0 && slope[1] < 0 || sigma >= 1 && slope[1] > 0,
            kappa <= 0 && slope[2] < 0,
        ]
        var rows = matrix
        var right = slope
        for i in 0..<3 {
            if isHeld[i] {
                for j in 0..<3 {
                    rows[i][j] = 0
                    rows[j][i] = 0
                }
                rows[i][i] = 1
                right[i] = 0
            } else {
                rows[i][i] += damping * max(rows[i][i], 1e-12)
            }
        }
        return Self.solve(rows, right)
    }

    /// Gauss's elimination with pivots; nil if there is no unique solution.
    private static func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double]? {
        var (rows, result) = (matrix, right)
        for column in 0..<3 {
            let pivot =
                (column..<3).max { rows[$0][column].magnitude < rows[$1][column].magnitude }
                ?? column
            rows.swapAt(column, pivot)
            result.swapAt(column, pivot)
            guard rows[column][column].magnitude > 1e-300 else { return nil }
            for row in (column + 1)..<3 {
                let factor = rows[row][column] / rows[column][column]
                for k in column..<3 { rows[row][k] -= factor * rows[column][k] }
                result[row] -= factor * result[column]
            }
        }
        for row in (0..<3).reversed() {
            for k in (row + 1)..<3 { result[row] -= rows[row][k] * result[k] }
            result[row] /= rows[row][row]
        }
        return result.allSatisfy(\.isFinite) ? result : nil
    }
}
