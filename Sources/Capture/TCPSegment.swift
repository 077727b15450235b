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
    /// Link header, as captured; Ethernet's 14 where the capture has another kind.
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

    /// Bytes of TCP options, which the MSS does not count.
    var optionsLength: Int { transportHeaderLength - 20 }
}

/// What a captured packet turned out to be.
enum ParsedPacket {
    case tcp(TCPSegment)
    /// A piece of an IP packet: its bytes count, its payload cannot be used.
    case fragment
    /// The outgoing copy of a loopback packet that comes in as well.
    case duplicate
    /// Neither IP nor TCP.
    case other
    /// Cut off or contradictory headers.
    case malformed
}
