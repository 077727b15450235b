/// One captured TCP segment, or one super-segment that offloading will cut up.
struct TCPSegment {
    static let fin: UInt8 = 0x01
    static let syn: UInt8 = 0x02
    static let rst: UInt8 = 0x04
    static let ack: UInt8 = 0x10

    var source: Endpoint
    var destination: Endpoint
    var sequence: UInt32
    var acknowledgement: UInt32
    var flags: UInt8
    /// Link header, as captured, with what tunnels put before the innermost IP header; Ethernet's
    /// 14 in the place of another kind of link header.
    var linkHeaderLength: Int
    /// IP with options and extension headers.
    var networkHeaderLength: Int
    /// TCP with options.
    var transportHeaderLength: Int
    /// On the wire.
    var payloadLength: Int
    /// The captured part of the payload.
    var payload: UnsafeRawBufferPointer
    /// The MSS option, bytes; only on SYN segments.
    var maximumSegmentSize: Int?
    /// Tells the opening of a connection from all others, whatever its addresses; only on a server's
    /// SYN with timestamps.
    var openingMark: UInt64?
    var origin = PacketOrigin()
    var identity = PacketIdentity()

    /// Bytes of TCP options, which the MSS does not count.
    var optionsLength: Int { transportHeaderLength - 20 }

    /// The snap length cut its payload.
    var isCut: Bool { payload.count < payloadLength }
}

/// A piece of an IP packet.
struct IPFragment {
    struct Key: Hashable {
        var source: Endpoint
        var destination: Endpoint
        var identification: UInt32
        var protocolNumber: UInt8
    }

    var key: Key
    /// Where its payload lies in the whole one, in bytes.
    var offset: Int
    var isLast: Bool
    /// On the wire.
    var payloadLength: Int
    var payload: UnsafeRawBufferPointer
    /// How the walk goes on once the packet is whole.
    var context: PacketWalk.Context
    /// Bytes before its payload.
    var headersLength: Int
    var origin: PacketOrigin { context.origin }
    var identity = PacketIdentity()
}

/// What a captured packet turned out to be.
enum ParsedPacket {
    case tcp(TCPSegment)
    /// A piece of an IP packet: it is used once all pieces are there.
    case fragment(IPFragment)
    /// The outgoing copy of a loopback packet that comes in as well.
    case duplicate
    /// Not looked into.
    case passedOver(PassedOver)
}
