/// A full TCP segment with timestamps on an Ethernet of MTU 1500, and its cost on a link at flow
/// level.
public struct TCPSegment: Hashable, Sendable {
    /// Number of bytes of payload.
    public static let payloadBytes = 1448
    /// Number of bytes of the whole IP packet.
    public static let packetBytes = 1500
    /// Number of bytes of the IP and TCP headers.
    public static let headerBytes = packetBytes - payloadBytes

    /// Bytes that a link carries for each full segment besides the payload; 0 if the link's rate is
    /// that of the payload.
    public let overheadBytes: Int

    /// - Parameter overheadBytes: 0…65 535; other numbers count as the nearest of these.
    public init(overheadBytes: Int = headerBytes) {
        self.overheadBytes = min(max(0, overheadBytes), 65_535)
    }

    /// The payload's share of the bytes that the link carries, more than 0 and at most 1.
    public var payloadShare: Double {
        Double(Self.payloadBytes) / (Double(Self.payloadBytes) + Double(overheadBytes))
    }
}
