extension Duration {
    /// Whole nanoseconds; a part of a nanosecond is cut off. Beyond 292 years the value is the
    /// nearest that 64 bits hold.
    public var nanoseconds: Int64 {
        let limit = Int64.max / 1_000_000_000
        guard components.seconds < limit else { return .max }
        guard components.seconds > -limit else { return .min }
        return components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }

    /// Seconds with their fraction.
    public var seconds: Double { Double(nanoseconds) / 1e9 }
}

extension Int64 {
    /// Whole nanoseconds, at most 1e18 in either direction, so that a sum with a time of a clock
    /// does not overflow; NaN counts as 1e18.
    public init(clampingNanoseconds value: Double) {
        self = Int64(Swift.max(-1e18, Swift.min(1e18, value)))
    }
}
