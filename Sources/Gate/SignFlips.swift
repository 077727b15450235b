import SimulationKernel

/// The sign changes of a randomisation test. Each is the set of the values whose sign it changes.
///
/// The empty set changes nothing and gives the data as observed. It is not in the list: the p value
/// counts it as the +1 in its numerator and denominator, and so never is 0.
struct SignFlips: Sendable {
    static let mostValues = 64

    /// Number of values, 1 to `mostValues`.
    let count: Int
    /// Whether `sets` holds every set that is not empty.
    let isExact: Bool
    /// Bit i says whether the sign of value i changes.
    let sets: [UInt64]

    /// - Parameters:
    ///   - count: Number of values.
    ///   - exactCount: Largest number of values for which all sets are listed, at most 20.
    ///   - flips: Number of random sets for more values than that, 1 to 1,000,000.
    init(count: Int, exactCount: Int, flips: Int, seed: UInt64) {
        let count = min(max(count, 1), Self.mostValues)
        self.count = count
        self.isExact = count <= min(exactCount, PairedTest.exactCount)
        guard !isExact else {
            self.sets = Array(1..<(UInt64(1) << UInt64(count)))
            return
        }
        var generator = SeededGenerator(seed: seed, entity: "sign flips of \(count)")
        let wanted = min(max(flips, 1), 1_000_000)
        var drawn: [UInt64] = []
        drawn.reserveCapacity(wanted)
        while drawn.count < wanted {
            let set = generator.next() >> UInt64(Self.mostValues - count)
            // The empty set is not in the list.
            if set != 0 { drawn.append(set) }
        }
        self.sets = drawn
    }

    /// Computes the mean of the values of each set, in the order of the sets. Sums of eight values
    /// at a time come from a table, so that the cost is a few additions for each set.
    func means(of values: [Double]) -> [Double] {
        let groups = (count + 7) / 8
        var sums = [Double](repeating: 0, count: groups * 256)
        for group in 0..<groups {
            for byte in 1..<256 {
                let place = group * 8 + byte.trailingZeroBitCount
                let value = place < values.count && place < count ? values[place] : 0
                sums[group * 256 + byte] = sums[group * 256 + (byte & (byte - 1))] + value
            }
        }
        var means: [Double] = []
        means.reserveCapacity(sets.count)
        for set in sets {
            var sum = 0.0
            var rest = set
            var start = 0
            while rest != 0 {
                sum += sums[start + Int(rest & 0xFF)]
                rest >>= 8
                start += 256
            }
            means.append(sum / Double(set.nonzeroBitCount))
        }
        return means
    }

    /// Returns the rank k of the bound at a one-sided level: the test rejects if fewer than k sets
    /// have a mean on the far side of the shift, and the bound is the k-th mean from that side.
    ///
    /// - Returns: 0 if the test with this number of sets never rejects at the level.
    static func rank(level: Double, sets: Int) -> Int {
        guard level > 0, level < 1, sets > 0 else { return 0 }
        let all = Double(sets) + 1
        var rank = min(Int(level * all), sets)
        // The product may be rounded to the other side of a whole number.
        while rank < sets, Double(rank + 1) / all <= level { rank += 1 }
        while rank > 0, Double(rank) / all > level { rank -= 1 }
        return rank
    }
}
