/// Holm's step-down correction for several tests (Holm, Scandinavian Journal of Statistics 1979).
///
/// Rejecting every hypothesis whose adjusted p value is at most α keeps the probability of any false
/// rejection at most α, whatever the dependence of the tests.
package enum Holm {
    /// Returns the adjusted p values in the order of `pValues`. A p value that is NaN or outside
    /// 0 to 1 counts as 1.
    package static func adjusted(_ pValues: [Double]) -> [Double] {
        let known = pValues.map { $0 >= 0 && $0 <= 1 ? $0 : 1 }
        let order = known.indices.sorted { (known[$0], $0) < (known[$1], $1) }
        var adjusted = known
        var largest = 0.0
        for (step, index) in order.enumerated() {
            largest = max(largest, min(1, Double(known.count - step) * known[index]))
            adjusted[index] = largest
        }
        return adjusted
    }
}
