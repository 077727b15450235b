extension RateSchedule {
    /// Returns the nanobits (10^-9 bit) that can pass in [`from`, `to`), exactly; 0 if `to` is not
    /// later.
    public func nanobits(from: Int64, to: Int64) -> Int128 {
        to > from ? capacity(at: to) - capacity(at: from) : 0
    }

    /// Returns the bits that can pass in [`from`, `to`), nanoseconds.
    public func bits(from: Int64, to: Int64) -> Double {
        Double(nanobits(from: from, to: to)) / 1e9
    }

    /// Returns the time in nanoseconds at which `bits` have passed if sending starts at `from`,
    /// rounded up; nil means never (or later than 2^63 ns).
    public func instant(ofBits bits: Double, from: Int64) -> Int64? {
        guard bits > 0 else { return from }
        guard bits < 0x1p93 else { return nil }
        let whole = bits.rounded(.down)
        let nanobits = Int128(whole) * 1_000_000_000 + Int128(((bits - whole) * 1e9).rounded(.up))
        return instant(ofNanobits: nanobits, from: from)
    }

    /// Returns the first instant at which `nanobits` (10^-9 bit) have passed if sending starts at
    /// `from`.
    ///
    /// To send packets back to back without drift, keep one start and add up their bits.
    public func instant(ofNanobits nanobits: Int128, from: Int64) -> Int64? {
        nanobits > 0 ? firstInstant(withCapacity: capacity(at: from) + nanobits) : from
    }

    /// Returns the position of `instant`: the period, the cycles before it and the position in the
    /// cycle. If the last period lasts for ever there are no cycles, and positions continue beyond
    /// the end.
    func locate(_ instant: Int64) -> (index: Int, cycles: Int64, position: Int64) {
        let (sum, overflow) = max(0, instant).addingReportingOverflow(startOffsetNanoseconds)
        let total = overflow ? .max : sum
        guard repeats else {
            return (total < cycleNanoseconds ? index(at: total) : periods.count - 1, 0, total)
        }
        let (cycles, position) = total.quotientAndRemainder(dividingBy: cycleNanoseconds)
        return (index(at: position), cycles, position)
    }

    /// Returns the period that covers `position`, which lies inside the cycle.
    private func index(at position: Int64) -> Int {
        var low = 0
        var high = periods.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= position { low = middle } else { high = middle }
        }
        return low
    }

    /// Returns the nanobits that pass until `instant`, from the start of the cycle that contains
    /// time 0.
    func capacity(at instant: Int64) -> Int128 {
        let (index, cycles, position) = locate(instant)
        return Int128(cycles) * sums[periods.count] + sums[index]
            + Int128(periods[index].bitsPerSecond) * Int128(position - starts[index])
    }

    /// Returns the first instant with that capacity, which is more than 0.
    func firstInstant(withCapacity target: Int128) -> Int64? {
        let cycle = sums[periods.count]
        var cycles: Int128 = 0
        var rest = target
        if repeats {
            // A target that is a whole number of cycles is reached inside the last of them.
            cycles = (target - 1) / cycle
            rest = target - cycles * cycle
        }
        // This finds the first period by whose end `rest` nanobits have passed.
        var low = 0
        var high = periods.count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle + 1] >= rest { high = middle } else { low = middle + 1 }
        }
        let rate = Int128(periods[low].bitsPerSecond)
        guard rate > 0 else { return nil }
        let inside = (rest - sums[low] + rate - 1) / rate
        let instant =
            cycles * Int128(cycleNanoseconds) + Int128(starts[low]) + inside
            - Int128(startOffsetNanoseconds)
        return Int64(exactly: max(0, instant))
    }
}
