/// What the viewers cost their own machine, so that nobody takes their limit for the server's.
package enum ViewerCost {
    /// Fewer bytes say nothing about the cost of a gigabit.
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
