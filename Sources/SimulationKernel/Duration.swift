extension Duration {
    /// Whole nanoseconds; a part of a nanosecond is cut off.
    public var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }

    /// Seconds with their fraction.
    public var seconds: Double { Double(nanoseconds) / 1e9 }
}
