/// A full TCP segment with timestamps, as an Ethernet of MTU 1500 carries it, and what it costs on a
/// link at flow level.
public struct TCPSegment: Hashable, Sendable {
    /// Bytes of payload.
    public static let payloadBytes = 1448
    /// Bytes of the whole IP packet.
    public static let packetBytes = 1500
    /// Bytes of the IP and TCP headers.
    public static let headerBytes = packetBytes - payloadBytes

    /// Bytes that a link carries for each full segment besides the payload; 0 where the link's rate
    /// is that of the payload.
    public let overheadBytes: Int

    /// - Parameter overheadBytes: 0…65 535; others count as the nearest of these.
    public init(overheadBytes: Int = headerBytes) {
        self.overheadBytes = min(max(0, overheadBytes), 65_535)
    }

    /// The payload's share of what the link carries, more than 0 and at most 1.
    public var payloadShare: Double {
        Double(Self.payloadBytes) / (Double(Self.payloadBytes) + Double(overheadBytes))
    }
}
