/// Traffic of one direction of one or more TCP connections.
public struct TrafficCounters: Codable, Hashable, Sendable {
    /// Number of captured TCP packets with payload; a super-segment counts as one.
    public var packets = 0
    /// Number of TCP segments with payload on the wire, after offloading has cut up the packets.
    public var segments = 0
    /// TCP payload, retransmissions included.
    public var payloadBytes = 0
    /// Payload, TCP and IP headers of `segments`.
    public var networkBytes = 0
    /// Bytes of `segments` with link headers: as captured with Ethernet, 14 bytes for each segment
    /// (nominal) elsewhere.
    public var linkBytes = 0
    /// Payload bytes that the capture had seen before.
    public var retransmittedBytes = 0
    /// Number of captured TCP packets without payload, which no other figure counts.
    public var bareAcknowledgements = 0
    /// Whether some segments were counted with an assumed MSS of 1,460 bytes, because no SYN was
    /// seen.
    public var mssAssumed = false
    /// Capture time of the first and the last packet with payload, in ns since 1970.
    public var firstNanoseconds: Int64?
    public var lastNanoseconds: Int64?

    public init() {}

    /// Counts a captured packet.
    ///
    /// - Parameter maximumSegmentSize: MSS of the SYN segments, without deduction of options.
    /// - Returns: Segments and link bytes of this packet.
    mutating func add(
        _ lengths: SegmentLengths, time: Int64, maximumSegmentSize: Int?
    ) -> (segments: Int, linkBytes: Int) {
        let payload = lengths.payload
        guard payload > 0 else {
            bareAcknowledgements += 1
            return (0, 0)
        }
        // The MSS does not include the options of the TCP header.
        let size = max(1, (maximumSegmentSize ?? 1460) - (lengths.transportHeader - 20))
        // Most packets are one segment, and a division is slow.
        let count = payload <= size ? 1 : (payload + size - 1) / size
        let network = payload + count * (lengths.networkHeader + lengths.transportHeader)
        let link = network + count * lengths.linkHeader
        packets += 1
        segments.add(clamping: count)
        payloadBytes.add(clamping: payload)
        networkBytes.add(clamping: network)
        linkBytes.add(clamping: link)
        if maximumSegmentSize == nil { mssAssumed = true }
        firstNanoseconds = min(firstNanoseconds ?? time, time)
        lastNanoseconds = max(lastNanoseconds ?? time, time)
        return (count, link)
    }

    public mutating func add(_ other: TrafficCounters) {
        packets.add(clamping: other.packets)
        segments.add(clamping: other.segments)
        payloadBytes.add(clamping: other.payloadBytes)
        networkBytes.add(clamping: other.networkBytes)
        linkBytes.add(clamping: other.linkBytes)
        retransmittedBytes.add(clamping: other.retransmittedBytes)
        bareAcknowledgements.add(clamping: other.bareAcknowledgements)
        mssAssumed = mssAssumed || other.mssAssumed
        if let first = other.firstNanoseconds {
            firstNanoseconds = min(firstNanoseconds ?? first, first)
        }
        if let last = other.lastNanoseconds {
            lastNanoseconds = max(lastNanoseconds ?? last, last)
        }
    }
}
