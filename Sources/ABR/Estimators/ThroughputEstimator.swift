/// Estimates throughput and time to first byte from finished downloads. It reads no clock.
public protocol ThroughputEstimator: Sendable {
    /// Throughput in kbit/s; NaN before the first usable sample.
    var throughput: Double { get }
    /// Time to first byte (ms); 0 before the first sample.
    var latency: Double { get }
    /// Adds a finished download.
    /// - Parameters:
    ///   - bits: number of bits that arrived in `transferTime`.
    ///   - transferTime: time from the first bit to the last (ms), without the time spent waiting
    ///     for media that did not exist yet.
    ///   - timeToFirstByte: ms; NaN if it says nothing about the network (a blocked LL-HLS
    ///     request).
    mutating func add(bits: Double, transferTime: Double, timeToFirstByte: Double)
}
