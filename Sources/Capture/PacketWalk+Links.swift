/// Link headers and what stands between them and IP: tags, labels, PPP.
extension PacketWalk {
    mutating func link(_ type: LinkType) -> Layer {
        switch type {
        case .ethernet: return ethernet()
        case .null, .loop: return loopback()
        case .linuxSLL: return cooked()
        case .linuxSLL2: return cooked2()
        case .raw, .ipv4, .ipv6, LinkType(rawValue: 12), LinkType(rawValue: 14):
            return nominal(0, .ip)
        // PPP, with HDLC's address or without; with a direction byte; as pppd has it.
        case LinkType(rawValue: 9), LinkType(rawValue: 50): return pppOrHDLC()
        case LinkType(rawValue: 166), LinkType(rawValue: 204):
            return nominal(1, .ppp)
        case LinkType(rawValue: 51): return nominal(0, .etherType(0x8864))
        case LinkType(rawValue: 104): return cisco()
        case LinkType(rawValue: 105): return wireless()
        case LinkType(rawValue: 127), LinkType(rawValue: 119), LinkType(rawValue: 163),
            LinkType(rawValue: 192):
            return radio(type)
        // OpenBSD's enc and pflog interfaces.
        case LinkType(rawValue: 109): return nominal(12, .ip)
        case LinkType(rawValue: 117):
            guard let length = bytes.first else { return short }
            return nominal((Int(length) + 3) & ~3, .ip)
        // IP over FireWire.
        case LinkType(rawValue: 138):
            guard let type = bytes.read(UInt16.self, at: 16) else { return short }
            return nominal(18, .etherType(type))
        case LinkType(rawValue: 219), LinkType(rawValue: 100): return nominal(0, .llc)
        case LinkType(rawValue: 239): return firewallLog()
        case LinkType(rawValue: 258): return packetTap()
        // A number for private use, under which Apple's tcpdump wrote PKTAP, too.
        case LinkType(rawValue: 149):
            guard let length = bytes.read(UInt32.self, at: 0, bigEndian: false),
                let inner = bytes.read(UInt32.self, at: 8, bigEndian: false),
                (36...512).contains(length), [0, 1, 12, 101, 108].contains(inner)
            else { return passed(.linkType, 149) }
            return packetTap()
        // IP over InfiniBand.
        case LinkType(rawValue: 242):
            guard let type = bytes.read(UInt16.self, at: 40) else { return short }
            return nominal(44, .etherType(type))
        default: return passed(.linkType, Int(type.rawValue))
        }
    }

    /// A link header of another kind than Ethernet's, which counts as Ethernet's.
    private mutating func nominal(_ length: Int, _ next: Layer) -> Layer {
        guard has(length) else { return short }
        skip(length)
        context.linkAdjustment += Self.nominalLinkHeaderLength - length
        return next
    }

    private mutating func loopback() -> Layer {
        guard has(4) else { return short }
        // In the byte order of the host that captured; 2 is IPv4 everywhere, IPv6 is not.
        let family = [true, false].map { bytes.integer(UInt32.self, at: 0, bigEndian: $0) }.min()
        switch family {
        case 2, 10, 23, 24, 28, 30: return nominal(4, .ip)
        default: return passed(.addressFamily, Int(family ?? 0))
        }
    }

    private mutating func cooked() -> Layer {
        guard has(16) else { return short }
        let packetType = bytes.integer(UInt16.self, at: 0)
        let hardware = bytes.integer(UInt16.self, at: 2)
        if Self.isLoopbackCopy(packetType: packetType, hardware: hardware) {
            return .done(.duplicate)
        }
        context.origin.packetType = UInt8(truncatingIfNeeded: packetType)
        context.origin.address =
            bytes.integer(UInt64.self, at: 6) & 0xFFFF_FFFF_FFFF_0000 | UInt64(hardware)
        return cookedPayload(16, hardware, bytes.integer(UInt16.self, at: 14))
    }

    private mutating func cooked2() -> Layer {
        guard has(20) else { return short }
        let hardware = bytes.integer(UInt16.self, at: 8)
        if Self.isLoopbackCopy(packetType: UInt16(bytes[10]), hardware: hardware) {
            return .done(.duplicate)
        }
        context.origin.index = bytes.integer(UInt32.self, at: 4)
        return cookedPayload(20, hardware, bytes.integer(UInt16.self, at: 0))
    }

    private mutating func cookedPayload(
        _ length: Int, _ hardware: UInt16, _ type: UInt16
    ) -> Layer {
        switch hardware {
        // Netlink, and radio interfaces in monitor mode.
        case 824: return passed(.linkType, 253)
        case 803: return nominal(length, .link(LinkType(rawValue: 127)))
        // ARPHRD_NONE, tunnels and PPP may leave the protocol at 0.
        default: return nominal(length, type == 0 ? .ip : type == 4 ? .llc : .etherType(type))
        }
    }

    /// ARPHRD_LOOPBACK and PACKET_OUTGOING: the same packet is captured again as it comes in.
    private static func isLoopbackCopy(packetType: UInt16, hardware: UInt16) -> Bool {
        packetType == 4 && hardware == 772
    }

    private mutating func pppOrHDLC() -> Layer {
        guard has(4) else { return short }
        if bytes[0] == 0x0F || bytes[0] == 0x8F { return cisco() }
        return nominal(0, .ppp)
    }

    /// Cisco HDLC: address, control, EtherType.
    private mutating func cisco() -> Layer {
        guard let type = bytes.read(UInt16.self, at: 2) else { return short }
        return nominal(4, .etherType(type))
    }

    /// The Linux firewall's log (NFLOG): attributes in the host's byte order, one is the packet.
    private mutating func firewallLog() -> Layer {
        guard has(4) else { return short }
        guard bytes[0] == 2 || bytes[0] == 10 else {
            return passed(.addressFamily, Int(bytes[0]))
        }
        var position = 4
        while let length = bytes.read(UInt16.self, at: position, bigEndian: false),
            let type = bytes.read(UInt16.self, at: position + 2, bigEndian: false)
        {
            guard length >= 4 else { return passed(.malformed) }
            if type & 0x7FFF == 9 { return nominal(position + 4, .ip) }
            position += (Int(length) + 3) & ~3
        }
        return short
    }

    /// Apple's PKTAP: a header that names the interface, then the packet of its link type.
    private mutating func packetTap() -> Layer {
        guard has(36) else { return short }
        let length = Int(bytes.integer(UInt32.self, at: 0, bigEndian: false))
        let type = bytes.integer(UInt32.self, at: 8, bigEndian: false)
        guard length >= 36, length <= 4096 else { return passed(.malformed) }
        var name: UInt32 = 0
        for byte in bytes.from(12).upTo(24) { name = name &* 31 &+ UInt32(byte) }
        context.origin.interface = name
        guard has(length) else { return short }
        skip(length)
        context.linkAdjustment -= length
        return .link(LinkType(rawValue: type))
    }

    mutating func ethernet() -> Layer {
        guard has(14) else { return short }
        var mix = ContentMix()
        mix.add(bytes.integer(UInt64.self, at: 0))
        mix.add(UInt64(bytes.integer(UInt32.self, at: 8)))
        context.origin.address = mix.value
        let type = bytes.integer(UInt16.self, at: 12)
        skip(14)
        return .etherType(type)
    }

    mutating func etherType(_ type: UInt16) -> Layer {
        switch type {
        case 0x0800, 0x86DD: return .ip
        case 0x8100, 0x88A8, 0x9100, 0x9200, 0x9300:
            guard has(4) else { return short }
            context.origin.vlan = bytes.integer(UInt16.self, at: 0) & 0x0FFF
            let next = bytes.integer(UInt16.self, at: 2)
            skip(4)
            return .etherType(next)
        case 0x8864: return pppoe()
        case 0x8847, 0x8848: return .mpls
        case 0x880B: return .ppp
        // Transparent Ethernet bridging, and provider backbone bridging behind its tag.
        case 0x6558: return .ethernet
        case 0x88E7: return pass(4, then: .ethernet)
        // VN-Tag and E-Tag.
        case 0x8926:
            guard let next = bytes.read(UInt16.self, at: 4) else { return short }
            return pass(6, then: .etherType(next))
        case 0x893F:
            guard let next = bytes.read(UInt16.self, at: 6) else { return short }
            return pass(8, then: .etherType(next))
        case 0x894F: return .nsh
        case 0x88E5: return passed(.encrypted, 0x88E5)
        case 0...1500: return .llc
        default: return passed(.etherType, Int(type))
        }
    }

    private mutating func pppoe() -> Layer {
        guard has(6) else { return short }
        guard bytes[0] == 0x11, bytes[1] == 0 else { return passed(.tunnel, 0x8864) }
        let length = Int(bytes.integer(UInt16.self, at: 4))
        context.origin.tunnel = 0x8864
        context.origin.tunnelNumber = UInt32(bytes.integer(UInt16.self, at: 2))
        skip(6)
        if length > 0, length < wire { truncate(to: length) }
        return .ppp
    }

    /// Protocol numbers of one byte are odd; address and control may be left out (RFC 1661, 1662).
    mutating func ppp() -> Layer {
        if let start = bytes.read(UInt16.self, at: 0), start == 0xFF03 || start == 0x0003 {
            skip(2)
        }
        guard let first = bytes.first else { return short }
        var number = Int(first)
        if first & 1 == 0 {
            guard let word = bytes.read(UInt16.self, at: 0) else { return short }
            number = Int(word)
            skip(2)
        } else {
            skip(1)
        }
        switch number {
        case 0x21, 0x57: return .ip
        case 0x0281, 0x0283: return .mpls
        case 0x3D:
            // A multilink fragment that is a whole packet: both its begin and its end.
            guard let flags = bytes.first else { return short }
            return flags & 0xC0 == 0xC0 ? pass(4, then: .ppp) : passed(.pppProtocol, number)
        default: return passed(.pppProtocol, number)
        }
    }

    /// IEEE 802.2: SNAP carries an EtherType.
    mutating func llc() -> Layer {
        guard let head = bytes.read(UInt16.self, at: 0) else { return short }
        if head == 0x0606 { return pass(3, then: .ip) }
        guard head == 0xAAAA else { return passed(.llc) }
        guard let type = bytes.read(UInt16.self, at: 6) else { return short }
        return pass(8, then: .etherType(type))
    }

    mutating func mpls() -> Layer {
        guard has(4) else { return short }
        let isLast = bytes[2] & 1 == 1
        if isLast { context.origin.tunnelNumber = bytes.integer(UInt32.self, at: 0) >> 12 }
        skip(4)
        guard isLast else { return .mpls }
        context.origin.tunnel = 0x8847
        guard let first = bytes.first else { return short }
        switch first >> 4 {
        case 4, 6: return .ip
        // A pseudowire with its control word, or without one.
        case 0
        where bytes.read(UInt32.self, at: 0).map { $0 >> 28 == 0 } ?? false
            && Self.isLikelyEthernet(bytes.from(4)):
            return pass(4, then: .ethernet)
        default:
            return Self.isLikelyEthernet(bytes) ? .ethernet : passed(.tunnel, 0x8847)
        }
    }

    static func isLikelyEthernet(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch bytes.read(UInt16.self, at: 12) {
        case 0x0800, 0x86DD, 0x8100, 0x88A8, 0x9100, 0x9200, 0x9300, 0x8847, 0x8848, 0x8863, 0x8864,
            0x880B, 0x88E5, 0x88E7, 0x8926, 0x893F, 0x894F, 0x0806, 0x88CC:
            true
        default: false
        }
    }
}
