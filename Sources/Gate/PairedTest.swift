/// The sign-flip test (Fisher's randomisation test) of the mean of paired differences, with the
/// interval that its inversion gives.
///
/// If the order of base and head within the blocks is random and the true worsening is θ, then each
/// value minus θ is as likely as its negative. The p value of "the mean is above θ" is the share of
/// the 2ⁿ sign changes that make the mean of the values minus θ at least as large as it is. Changing
/// the signs of a set S does so exactly if the mean of the values in S is at most θ, so
///
///     p(θ) = (1 + number of non-empty sets S with mean(S) ≤ θ) / 2ⁿ
///
/// with the 1 for the empty set (Hartigan, "Using subsample values as typical values", JASA 1969;
/// Tritchler, JASA 1984). The means of all sets, sorted once, thus give the p value for every shift,
/// and the ends of the interval are two of them. Up to 20 values all sets are listed. For more
/// values a stated number of random sets takes their place, and p = (1 + number) / (1 + sets).
///
/// At θ = 0 the random order alone makes the test valid. At another θ it also supposes that the
/// values lie symmetrically about their centre. With values skewed to one side the test is
/// conservative in that direction and rejects too often in the other.
package struct PairedTest: Sendable {
    /// Largest number of values for which all sign changes are listed.
    package static let exactCount = 20
    /// Random sets for more values: p values are multiples of 0.00001.
    package static let standardFlips = 99_999
    /// Largest number of values.
    package static let largestCount = 64
    /// Largest magnitude of a value.
    package static let largestValue = 1e150

    package let count: Int
    /// The mean of the values: the estimate that belongs to the test.
    package let mean: Double
    package let isExact: Bool
    /// Means of the sets in ascending order.
    private let means: [Double]
    /// Means closer to the shift than this count as equal to it, because sums are rounded.
    private let tolerance: Double

    /// - Parameters:
    ///   - values: One value of each block, 1 to `largestCount` finite numbers.
    ///   - exactCount: Largest number of values for which all sign changes are listed, at most 20.
    ///   - flips: Number of random sets for more values, 1 to 1,000,000.
    ///   - seed: Seed of the random sets; the same seed gives the same result.
    /// - Throws: `GateFault` if there are too few or too many values, or one is not a number.
    package init(
        _ values: [Double], exactCount: Int = PairedTest.exactCount,
        flips: Int = PairedTest.standardFlips, seed: UInt64
    ) throws(GateFault) {
        guard !values.isEmpty, values.count <= Self.largestCount else {
            throw GateFault(
                "a paired test has 1 to \(Self.largestCount) values, not \(values.count)")
        }
        for value in values where !(value.magnitude <= Self.largestValue) {
            throw GateFault("a paired test cannot use the value \(value)")
        }
        let sets = SignFlips(
            count: values.count, exactCount: exactCount, flips: flips, seed: seed)
        count = values.count
        isExact = sets.isExact
        mean = values.reduce(0, +) / Double(values.count)
        means = sets.means(of: values).sorted()
        tolerance = 1e-12 * values.reduce(0) { max($0, $1.magnitude) }
    }

    /// Number of sign changes behind a p value, besides the one that changes nothing.
    package var flips: Int { means.count }

    /// Returns the one-sided p value of "the true mean is above `shift`"; 1 if `shift` is NaN.
    package func pAbove(_ shift: Double) -> Double {
        guard !shift.isNaN else { return 1 }
        let extreme = firstIndex { $0 > shift + tolerance }
        return Double(1 + extreme) / Double(1 + means.count)
    }

    /// Returns the one-sided p value of "the true mean is below `shift`"; 1 if `shift` is NaN.
    package func pBelow(_ shift: Double) -> Double {
        guard !shift.isNaN else { return 1 }
        let extreme = means.count - firstIndex { $0 >= shift - tolerance }
        return Double(1 + extreme) / Double(1 + means.count)
    }

    /// Returns the smallest shift for which `pAbove` exceeds `level`.
    ///
    /// - Parameter level: One-sided level, in (0, 1): 0.05 gives a 95 % bound.
    /// - Returns: nil if so few values give no bound at this level.
    package func lowerBound(level: Double) -> Double? {
        let rank = SignFlips.rank(level: level, sets: means.count)
        return rank > 0 ? means[rank - 1] : nil
    }

    /// Returns the largest shift for which `pBelow` exceeds `level`; otherwise as `lowerBound`.
    package func upperBound(level: Double) -> Double? {
        let rank = SignFlips.rank(level: level, sets: means.count)
        return rank > 0 ? means[means.count - rank] : nil
    }

    /// Returns the first index whose mean fulfils the condition, which holds from there on.
    private func firstIndex(where condition: (Double) -> Bool) -> Int {
        var (low, high) = (0, means.count)
        while low < high {
            let middle = low + (high - low) / 2
            if condition(means[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
