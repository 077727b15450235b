/// One captured TCP segment, or one super-segment that offloading will cut up.
struct CapturedTCPSegment {
    static let fin: UInt8 = 0x01
    static let syn: UInt8 = 0x02
    static let rst: UInt8 = 0x04
    static let ack: UInt8 = 0x10

    var source: Endpoint
    var destination: Endpoint
    var sequence: UInt32
    var acknowledgement: UInt32
    var flags: UInt8
    /// Length of the link header, as captured, with the headers that tunnels put before the
    /// innermost IP header; another kind of link header counts as Ethernet's 14 bytes.
    var linkHeaderLength: Int
    /// Length of the IP header with options and extension headers.
    var networkHeaderLength: Int
    /// Length of the TCP header with options.
    var transportHeaderLength: Int
    /// Length of the payload on the wire.
    var payloadLength: Int
    /// Captured part of the payload.
    var payload: UnsafeRawBufferPointer
    /// MSS option in bytes; only SYN segments have it.
    var maximumSegmentSize: Int?
    /// Mark that distinguishes the opening of a connection from all others, whatever its addresses
    /// are; only a server's SYN with timestamps has it.
    var openingMark: UInt64?
    var origin = PacketOrigin()
    var identity = PacketIdentity()

    var lengths: SegmentLengths {
        SegmentLengths(
            linkHeader: linkHeaderLength, networkHeader: networkHeaderLength,
            transportHeader: transportHeaderLength, payload: payloadLength)
    }

    /// Whether the snap length cut the payload.
    var isCut: Bool { payload.count < payloadLength }
}

/// Lengths in bytes of the parts of a captured packet, as `CapturedTCPSegment` states them.
struct SegmentLengths {
    var linkHeader: Int
    var networkHeader: Int
    /// Length of the TCP header with options.
    var transportHeader: Int
    /// Length of the payload on the wire.
    var payload: Int
}

/// A fragment of an IP packet.
struct IPFragment {
    struct Key: Hashable {
        var source: Endpoint
        var destination: Endpoint
        var identification: UInt32
        var protocolNumber: UInt8
    }

    var key: Key
    /// Offset of the fragment's payload in the whole payload, in bytes.
    var offset: Int
    var isLast: Bool
    /// Length of the fragment's payload on the wire.
    var payloadLength: Int
    var payload: UnsafeRawBufferPointer
    /// Context in which the walk continues once the packet is complete.
    var context: PacketWalk.Context
    /// Number of bytes before the fragment's payload.
    var headersLength: Int
    var origin: PacketOrigin { context.origin }
    var identity = PacketIdentity()
}

/// Result of reading a captured packet.
enum ParsedPacket {
    case tcp(CapturedTCPSegment)
    /// A fragment of an IP packet, which is used once all fragments are there.
    case fragment(IPFragment)
    /// The outgoing copy of a loopback packet that comes in as well.
    case duplicate
    /// A packet that is not dissected.
    case passedOver(PassedOver)
}
