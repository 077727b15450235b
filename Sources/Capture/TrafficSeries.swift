/// Traffic by second of real time, limited to the seconds of one day.
struct TrafficSeries {
    static let limit = 86_400

    private(set) var seconds: [Int64: TrafficSecond] = [:]

    mutating func add(time: Int64, linkBytes: Int, segments: Int, retransmittedBytes: Int) {
        let second = time / 1_000_000_000
        guard seconds[second] != nil || seconds.count < Self.limit else { return }
        seconds[second, default: TrafficSecond(second: second)].add(
            linkBytes: linkBytes, segments: segments, retransmittedBytes: retransmittedBytes)
    }

    var sorted: [TrafficSecond] { seconds.values.sorted { $0.second < $1.second } }
}

/// One second of one direction of a stream.
public struct TrafficSecond: Codable, Hashable, Sendable {
    /// Time in seconds since 1970.
    public var second: Int64
    /// L2 bytes of segments with payload.
    public var bytes = 0
    /// Number of TCP segments with payload.
    public var packets = 0
    /// Payload bytes that were seen before.
    public var retransmittedBytes = 0

    mutating func add(linkBytes: Int, segments: Int, retransmittedBytes: Int) {
        bytes.add(clamping: linkBytes)
        packets.add(clamping: segments)
        self.retransmittedBytes.add(clamping: retransmittedBytes)
    }
}
