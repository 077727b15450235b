/// Link headers and the headers between them and IP: tags, labels, PPP.
enum LinkLayers {
    static func link(_ walk: inout PacketWalk, _ type: LinkType) -> PacketWalk.Layer {
        switch type {
        case .ethernet: return ethernet(&walk)
        case .null, .loop: return loopback(&walk)
        case .linuxSLL: return cooked(&walk)
        case .linuxSLL2: return cooked2(&walk)
        case .raw, .ipv4, .ipv6, LinkType(rawValue: 12), LinkType(rawValue: 14):
            return nominal(&walk, 0, .ip)
        // These are PPP with or without HDLC's address, with a direction byte, and as pppd captures
        // it.
        case LinkType(rawValue: 9), LinkType(rawValue: 50): return pppOrHDLC(&walk)
        case LinkType(rawValue: 166), LinkType(rawValue: 204):
            return nominal(&walk, 1, .ppp)
        case LinkType(rawValue: 51): return nominal(&walk, 0, .etherType(0x8864))
        case LinkType(rawValue: 104): return cisco(&walk)
        case LinkType(rawValue: 105): return WirelessLayers.wireless(&walk)
        case LinkType(rawValue: 127), LinkType(rawValue: 119), LinkType(rawValue: 163),
            LinkType(rawValue: 192):
            return WirelessLayers.radio(&walk, type)
        // These are the enc and pflog interfaces of OpenBSD.
        case LinkType(rawValue: 109): return nominal(&walk, 12, .ip)
        case LinkType(rawValue: 117):
            guard let length = walk.bytes.first else { return walk.short }
            return nominal(&walk, (Int(length) + 3) & ~3, .ip)
        // This is IP over FireWire.
        case LinkType(rawValue: 138):
            guard let type = walk.bytes.read(UInt16.self, at: 16) else { return walk.short }
            return nominal(&walk, 18, .etherType(type))
        case LinkType(rawValue: 219): return nominal(&walk, 0, .mpls)
        case LinkType(rawValue: 100): return nominal(&walk, 0, .llc)
        case LinkType(rawValue: 239): return firewallLog(&walk)
        case LinkType(rawValue: 258): return packetTap(&walk)
        // This number is for private use, and Apple's tcpdump wrote PKTAP under it too.
        case LinkType(rawValue: 149):
            guard let length = walk.bytes.read(UInt32.self, at: 0, bigEndian: false),
                let inner = walk.bytes.read(UInt32.self, at: 8, bigEndian: false),
                (36...512).contains(length), [0, 1, 12, 101, 108].contains(inner)
            else { return walk.passed(.linkType, 149) }
            return packetTap(&walk)
        // This is IP over InfiniBand.
        case LinkType(rawValue: 242):
            guard let type = walk.bytes.read(UInt16.self, at: 40) else { return walk.short }
            return nominal(&walk, 44, .etherType(type))
        default: return walk.passed(.linkType, Int(type.rawValue))
        }
    }

    /// Reads a link header of another kind than Ethernet's; it is counted as long as Ethernet's.
    private static func nominal(_ walk: inout PacketWalk, _ length: Int, _ next: PacketWalk.Layer)
        -> PacketWalk.Layer
    {
        guard walk.has(length) else { return walk.short }
        walk.skip(length)
        walk.context.linkAdjustment += PacketWalk.nominalLinkHeaderLength - length
        return next
    }

    private static func loopback(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(4) else { return walk.short }
        // The family is in the byte order of the capturing host. IPv4 is 2 everywhere, and IPv6
        // differs between systems.
        let family = [true, false].map { walk.bytes.integer(UInt32.self, at: 0, bigEndian: $0) }
            .min()
        switch family {
        case 2, 10, 23, 24, 28, 30: return nominal(&walk, 4, .ip)
        default: return walk.passed(.addressFamily, Int(family ?? 0))
        }
    }

    private static func cooked(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(16) else { return walk.short }
        let packetType = walk.bytes.integer(UInt16.self, at: 0)
        let hardware = walk.bytes.integer(UInt16.self, at: 2)
        if Self.isLoopbackCopy(packetType: packetType, hardware: hardware) {
            return .done(.duplicate)
        }
        walk.context.origin.packetType = UInt8(truncatingIfNeeded: packetType)
        walk.context.origin.address =
            walk.bytes.integer(UInt64.self, at: 6) & 0xFFFF_FFFF_FFFF_0000 | UInt64(hardware)
        return cookedPayload(&walk, 16, hardware, walk.bytes.integer(UInt16.self, at: 14))
    }

    private static func cooked2(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(20) else { return walk.short }
        let hardware = walk.bytes.integer(UInt16.self, at: 8)
        if Self.isLoopbackCopy(packetType: UInt16(walk.bytes[10]), hardware: hardware) {
            return .done(.duplicate)
        }
        walk.context.origin.index = walk.bytes.integer(UInt32.self, at: 4)
        return cookedPayload(&walk, 20, hardware, walk.bytes.integer(UInt16.self, at: 0))
    }

    private static func cookedPayload(
        _ walk: inout PacketWalk,
        _ length: Int, _ hardware: UInt16, _ type: UInt16
    ) -> PacketWalk.Layer {
        switch hardware {
        // These are netlink, and radio interfaces in monitor mode.
        case 824: return walk.passed(.linkType, 253)
        case 803: return nominal(&walk, length, .link(LinkType(rawValue: 127)))
        // ARPHRD_NONE, tunnels and PPP may leave the protocol at 0.
        default:
            return nominal(&walk, length, type == 0 ? .ip : type == 4 ? .llc : .etherType(type))
        }
    }

    /// Whether this is the outgoing copy on a loopback interface (ARPHRD_LOOPBACK and
    /// PACKET_OUTGOING); the same packet is captured again as it comes in.
    private static func isLoopbackCopy(packetType: UInt16, hardware: UInt16) -> Bool {
        packetType == 4 && hardware == 772
    }

    private static func pppOrHDLC(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(4) else { return walk.short }
        if walk.bytes[0] == 0x0F || walk.bytes[0] == 0x8F { return cisco(&walk) }
        return nominal(&walk, 0, .ppp)
    }

    /// Reads Cisco HDLC: address, control, EtherType.
    private static func cisco(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard let type = walk.bytes.read(UInt16.self, at: 2) else { return walk.short }
        return nominal(&walk, 4, .etherType(type))
    }

    /// Reads the Linux firewall's log (NFLOG): attributes in the host's byte order, one of which is
    /// the packet.
    private static func firewallLog(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(4) else { return walk.short }
        guard walk.bytes[0] == 2 || walk.bytes[0] == 10 else {
            return walk.passed(.addressFamily, Int(walk.bytes[0]))
        }
        var position = 4
        while let length = walk.bytes.read(UInt16.self, at: position, bigEndian: false),
            let type = walk.bytes.read(UInt16.self, at: position + 2, bigEndian: false)
        {
            guard length >= 4 else { return walk.passed(.malformed) }
            if type & 0x7FFF == 9 { return nominal(&walk, position + 4, .ip) }
            position += (Int(length) + 3) & ~3
        }
        return walk.short
    }

    /// Reads Apple's PKTAP: a header that names the interface, then the packet of its link type.
    private static func packetTap(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(36) else { return walk.short }
        let length = Int(walk.bytes.integer(UInt32.self, at: 0, bigEndian: false))
        let type = walk.bytes.integer(UInt32.self, at: 8, bigEndian: false)
        guard length >= 36, length <= 4096 else { return walk.passed(.malformed) }
        var name: UInt32 = 0
        for byte in walk.bytes.from(12).upTo(24) { name = name &* 31 &+ UInt32(byte) }
        walk.context.origin.interface = name
        guard walk.has(length) else { return walk.short }
        walk.skip(length)
        walk.context.linkAdjustment -= length
        return .link(LinkType(rawValue: type))
    }

    static func ethernet(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(14) else { return walk.short }
        var mix = ContentMix()
        mix.add(walk.bytes.integer(UInt64.self, at: 0))
        mix.add(UInt64(walk.bytes.integer(UInt32.self, at: 8)))
        walk.context.origin.address = mix.value
        let type = walk.bytes.integer(UInt16.self, at: 12)
        walk.skip(14)
        return .etherType(type)
    }

    static func etherType(_ walk: inout PacketWalk, _ type: UInt16) -> PacketWalk.Layer {
        switch type {
        case 0x0800, 0x86DD: return .ip
        case 0x8100, 0x88A8, 0x9100, 0x9200, 0x9300:
            guard walk.has(4) else { return walk.short }
            walk.context.origin.vlan = walk.bytes.integer(UInt16.self, at: 0) & 0x0FFF
            let next = walk.bytes.integer(UInt16.self, at: 2)
            walk.skip(4)
            return .etherType(next)
        case 0x8864: return pppoe(&walk)
        case 0x8847, 0x8848: return .mpls
        case 0x880B: return .ppp
        // These are transparent Ethernet bridging, and provider backbone bridging behind its tag.
        case 0x6558: return .ethernet
        case 0x88E7: return walk.pass(4, then: .ethernet)
        // These are VN-Tag and E-Tag.
        case 0x8926:
            guard let next = walk.bytes.read(UInt16.self, at: 4) else { return walk.short }
            return walk.pass(6, then: .etherType(next))
        case 0x893F:
            guard let next = walk.bytes.read(UInt16.self, at: 6) else { return walk.short }
            return walk.pass(8, then: .etherType(next))
        case 0x894F: return .nsh
        case 0x88E5: return walk.passed(.encrypted, 0x88E5)
        case 0...1500: return .llc
        default: return walk.passed(.etherType, Int(type))
        }
    }

    private static func pppoe(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(6) else { return walk.short }
        guard walk.bytes[0] == 0x11, walk.bytes[1] == 0 else { return walk.passed(.tunnel, 0x8864) }
        let length = Int(walk.bytes.integer(UInt16.self, at: 4))
        walk.context.origin.tunnel = 0x8864
        walk.context.origin.tunnelNumber = UInt32(walk.bytes.integer(UInt16.self, at: 2))
        walk.skip(6)
        if length > 0, length < walk.wire { walk.truncate(to: length) }
        return .ppp
    }

    /// Reads PPP. Protocol numbers of one byte are odd; address and control may be left out (RFC
    /// 1661, 1662).
    static func ppp(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        if let start = walk.bytes.read(UInt16.self, at: 0), start == 0xFF03 || start == 0x0003 {
            walk.skip(2)
        }
        guard let first = walk.bytes.first else { return walk.short }
        var number = Int(first)
        if first & 1 == 0 {
            guard let word = walk.bytes.read(UInt16.self, at: 0) else { return walk.short }
            number = Int(word)
            walk.skip(2)
        } else {
            walk.skip(1)
        }
        switch number {
        case 0x21, 0x57: return .ip
        case 0x0281, 0x0283: return .mpls
        case 0x3D:
            // The multilink fragment is a whole packet if it is both a beginning and an end.
            guard let flags = walk.bytes.first else { return walk.short }
            return flags & 0xC0 == 0xC0
                ? walk.pass(4, then: .ppp) : walk.passed(.pppProtocol, number)
        default: return walk.passed(.pppProtocol, number)
        }
    }

    /// Reads IEEE 802.2; SNAP carries an EtherType.
    static func llc(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard let head = walk.bytes.read(UInt16.self, at: 0) else { return walk.short }
        if head == 0x0606 { return walk.pass(3, then: .ip) }
        guard head == 0xAAAA else { return walk.passed(.llc) }
        guard let type = walk.bytes.read(UInt16.self, at: 6) else { return walk.short }
        return walk.pass(8, then: .etherType(type))
    }

    static func mpls(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(4) else { return walk.short }
        let isLast = walk.bytes[2] & 1 == 1
        if isLast {
            walk.context.origin.tunnelNumber = walk.bytes.integer(UInt32.self, at: 0) >> 12
        }
        walk.skip(4)
        guard isLast else { return .mpls }
        walk.context.origin.tunnel = 0x8847
        guard let first = walk.bytes.first else { return walk.short }
        switch first >> 4 {
        case 4, 6: return .ip
        // This is a pseudowire with its control word, or without one.
        case 0
        where walk.bytes.read(UInt32.self, at: 0).map { $0 >> 28 == 0 } ?? false
            && Self.isLikelyEthernet(walk.bytes.from(4)):
            return walk.pass(4, then: .ethernet)
        default:
            return Self.isLikelyEthernet(walk.bytes) ? .ethernet : walk.passed(.tunnel, 0x8847)
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
