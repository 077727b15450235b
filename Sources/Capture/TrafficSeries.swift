/// Traffic of one direction of a stream by second of real time. The directions of the connections
/// that carry the stream share it.
final class TrafficSeries {
    private var table = SecondTable()

    func add(time: Int64, linkBytes: Int, segments: Int, retransmittedBytes: Int) {
        table.add(
            time: time, linkBytes: linkBytes, segments: segments,
            retransmittedBytes: retransmittedBytes)
    }

    var sorted: [TrafficSecond] { table.sorted }
}

/// Traffic by second, limited to the seconds of one day.
private struct SecondTable {
    static let limit = 86_400

    private var seconds: [TrafficSecond] = []
    private var places: [Int64: Int] = [:]
    /// Place of the second that was counted last.
    private var latest = 0

    mutating func add(time: Int64, linkBytes: Int, segments: Int, retransmittedBytes: Int) {
        let second = time / 1_000_000_000
        // Most packets belong to the second of the packet before.
        if latest >= seconds.count || seconds[latest].second != second {
            if let place = places[second] {
                latest = place
            } else {
                guard seconds.count < Self.limit else { return }
                latest = seconds.count
                places[second] = latest
                seconds.append(TrafficSecond(second: second))
            }
        }
        seconds[latest].add(
            linkBytes: linkBytes, segments: segments, retransmittedBytes: retransmittedBytes)
    }

    var sorted: [TrafficSecond] { seconds.sorted { $0.second < $1.second } }
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
