/// Reads link, IP and TCP headers of one captured packet.
enum PacketParser {
    /// Ethernet's header, which stands in where a capture has another kind of link header.
    static let nominalLinkHeaderLength = 14

    static func parse(
        _ bytes: UnsafeRawBufferPointer, linkType: LinkType, originalLength: Int
    ) -> ParsedPacket {
        var network = 0
        var nominal = nominalLinkHeaderLength
        switch linkType {
        case .ethernet:
            guard let length = ethernetHeaderLength(bytes) else { return .malformed }
            network = length
            nominal = length
        case .null, .loop: network = 4
        case .linuxSLL:
            guard bytes.count >= 16 else { return .malformed }
            if isLoopbackCopy(
                packetType: bytes.integer(UInt16.self, at: 0),
                hardware: bytes.integer(UInt16.self, at: 2))
            {
                return .duplicate
            }
            network = 16
        case .linuxSLL2:
            guard bytes.count >= 20 else { return .malformed }
            if isLoopbackCopy(
                packetType: UInt16(bytes[10]), hardware: bytes.integer(UInt16.self, at: 8))
            {
                return .duplicate
            }
            network = 20
        case .raw, .ipv4, .ipv6, LinkType(rawValue: 12), LinkType(rawValue: 14): network = 0
        default: return .other
        }
        guard bytes.count > network else { return .malformed }
        let packet = bytes.from(network)
        let wire = max(0, originalLength - network)
        switch packet[0] >> 4 {
        case 4: return ipv4(packet, wire, nominal)
        case 6: return ipv6(packet, wire, nominal)
        default: return .other
        }
    }

    /// ARPHRD_LOOPBACK and PACKET_OUTGOING: the same packet is captured again as it comes in.
    private static func isLoopbackCopy(packetType: UInt16, hardware: UInt16) -> Bool {
        packetType == 4 && hardware == 772
    }

    /// 14 bytes and 4 for each VLAN tag.
    private static func ethernetHeaderLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var length = 14
        for _ in 0..<4 {
            guard bytes.count >= length else { return nil }
            switch bytes.integer(UInt16.self, at: length - 2) {
            case 0x8100, 0x88A8, 0x9100: length += 4
            default: return length
            }
        }
        return nil
    }

    private static func ipv4(
        _ packet: UnsafeRawBufferPointer, _ wire: Int, _ link: Int
    ) -> ParsedPacket {
        guard packet.count >= 20 else { return .malformed }
        let header = Int(packet[0] & 0x0F) * 4
        guard header >= 20 else { return .malformed }
        guard packet[9] == 6 else { return .other }
        // More Fragments, or an offset.
        guard packet.integer(UInt16.self, at: 6) & 0x3FFF == 0 else { return .fragment }
        guard packet.count >= header else { return .malformed }
        let total = Int(packet.integer(UInt16.self, at: 2))
        // 0: a super-segment of more than 64 KiB, or one not filled in yet.
        let length = total == 0 ? wire : total
        return tcp(
            packet, at: header, length: length, link: link,
            source: Endpoint(ipv4: packet.integer(UInt32.self, at: 12), port: 0),
            destination: Endpoint(ipv4: packet.integer(UInt32.self, at: 16), port: 0))
    }

    private static func ipv6(
        _ packet: UnsafeRawBufferPointer, _ wire: Int, _ link: Int
    ) -> ParsedPacket {
        guard packet.count >= 40 else { return .malformed }
        let payload = Int(packet.integer(UInt16.self, at: 4))
        let length = payload == 0 ? wire : payload + 40
        var next = packet[6]
        var offset = 40
        for _ in 0..<8 where next != 6 {
            guard packet.count >= offset + 8 else { return .malformed }
            switch next {
            case 0, 43, 60, 135:
                (next, offset) = (packet[offset], offset + (Int(packet[offset + 1]) + 1) * 8)
            case 51:
                (next, offset) = (packet[offset], offset + (Int(packet[offset + 1]) + 2) * 4)
            case 44:
                // A fragment header with no offset and nothing to follow changes nothing.
                guard packet.integer(UInt16.self, at: offset + 2) & 0xFFF9 == 0 else {
                    return .fragment
                }
                (next, offset) = (packet[offset], offset + 8)
            default: return .other
            }
        }
        guard next == 6 else { return .malformed }
        return tcp(
            packet, at: offset, length: length, link: link,
            source: address(packet, at: 8), destination: address(packet, at: 24))
    }

    private static func address(_ packet: UnsafeRawBufferPointer, at offset: Int) -> Endpoint {
        Endpoint(
            high: packet.integer(UInt64.self, at: offset),
            low: packet.integer(UInt64.self, at: offset + 8), port: 0)
    }

    private static func tcp(
        _ packet: UnsafeRawBufferPointer, at offset: Int, length: Int, link: Int,
        source: Endpoint, destination: Endpoint
    ) -> ParsedPacket {
        guard packet.count >= offset + 20 else { return .malformed }
        let header = Int(packet[offset + 12] >> 4) * 4
        guard header >= 20, length >= offset + header else { return .malformed }
        var (source, destination) = (source, destination)
        source.port = packet.integer(UInt16.self, at: offset)
        destination.port = packet.integer(UInt16.self, at: offset + 2)
        let payloadLength = length - offset - header
        var segment = TCPSegment(
            source: source, destination: destination,
            sequence: packet.integer(UInt32.self, at: offset + 4),
            acknowledgement: packet.integer(UInt32.self, at: offset + 8),
            flags: packet[offset + 13], linkHeaderLength: link, networkHeaderLength: offset,
            transportHeaderLength: header, payloadLength: payloadLength,
            payload: packet.from(offset + header).upTo(payloadLength))
        if segment.flags & TCPSegment.syn != 0 {
            segment.maximumSegmentSize = maximumSegmentSize(
                packet.from(offset + 20).upTo(header - 20))
        }
        return .tcp(segment)
    }

    private static func maximumSegmentSize(_ options: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        while offset < options.count {
            switch options[offset] {
            case 0: return nil
            case 1: offset += 1
            case let kind:
                guard offset + 1 < options.count, options[offset + 1] >= 2 else { return nil }
                let length = Int(options[offset + 1])
                if kind == 2, length == 4, offset + 4 <= options.count {
                    return Int(options.integer(UInt16.self, at: offset + 2))
                }
                offset += length
            }
        }
        return nil
    }
}
