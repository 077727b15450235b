/// CPU cost of the viewers on their own machine. It shows whether the viewers or the server are the
/// limit.
package enum ViewerCost {
    /// Smallest number of bytes from which a cost is computed.
    private static let leastBytes = 1_000_000

    /// - Parameters:
    ///   - receivedBytes: bytes of all viewers, heads included.
    ///   - cpuNanoseconds: CPU time of the viewers' process.
    /// - Returns: CPU seconds per gigabit received; nil if too little came.
    package static func secondsPerGigabit(
        receivedBytes: Int, cpuNanoseconds: Int64
    ) -> Double? {
        guard receivedBytes > leastBytes else { return nil }
        return Double(cpuNanoseconds) / 1e9 / (Double(receivedBytes) * 8 / 1e9)
    }
}
