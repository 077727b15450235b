/// Estimates throughput and time to first byte from finished downloads. Pure.
public protocol ThroughputEstimator: Sendable {
    /// kbit/s; NaN before the first usable sample.
    var throughput: Double { get }
    /// Time to first byte (ms); 0 before the first sample.
    var latency: Double { get }
    /// A finished download.
    /// - Parameters:
    ///   - bits: that arrived in `transferTime`.
    ///   - transferTime: from the first bit to the last (ms), time waited for media that did not
    ///     exist yet taken out.
    ///   - timeToFirstByte: ms; NaN where it says nothing of the network (a blocked LL-HLS request).
    mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double)
}
