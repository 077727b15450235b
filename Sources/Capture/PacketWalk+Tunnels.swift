/// Tunnels over IP and UDP.
extension PacketWalk {
    static func isTunnel(_ port: UInt16) -> Bool {
        switch port {
        case 1701, 2152, 3544, 4754, 4789, 4790, 6081, 6635, 8472, 37008: true
        default: false
        }
    }

    /// RFC 2784, 2890; version 1 is PPTP's (RFC 2637).
    mutating func gre() -> Layer {
        guard has(4) else { return short }
        let flags = bytes.integer(UInt16.self, at: 0)
        let type = bytes.integer(UInt16.self, at: 2)
        let version = flags & 7
        guard version <= 1 else { return passed(.tunnel, 47) }
        var length = 4
        var key: UInt32 = 0
        if flags & 0x8000 != 0 { length += 4 }
        if flags & 0x2000 != 0 {
            guard let value = bytes.read(UInt32.self, at: length) else { return short }
            key = version == 1 ? value & 0xFFFF : value
            length += 4
        }
        if flags & 0x1000 != 0 { length += 4 }
        if version == 1, flags & 0x0080 != 0 { length += 4 }
        guard has(length) else { return short }
        let hasSequence = flags & 0x1000 != 0
        skip(length)
        guard wire > 0 else { return passed(.ipProtocol, 47) }
        context.origin.tunnel = 47
        context.origin.tunnelNumber = key
        switch type {
        case 0x88BE: return erspan(hasSequence ? 8 : 0)
        case 0x22EB:
            // Type III has a subheader of 8 bytes where its last bit says so.
            guard let last = bytes.read(UInt8.self, at: 11) else { return short }
            return erspan(last & 1 == 1 ? 20 : 12)
        case 0x883E:
            // WCCP: version 2 puts a header of four bytes before the packet.
            guard let first = bytes.first else { return short }
            return first >> 4 == 4 ? .ip : pass(4, then: .ip)
        default: return .etherType(type)
        }
    }

    private mutating func erspan(_ length: Int) -> Layer {
        guard has(length) else { return short }
        context.origin.tunnel = 0x88BE
        if length >= 8 {
            context.origin.tunnelNumber = UInt32(bytes.integer(UInt16.self, at: 2) & 0x3FF)
        }
        skip(length)
        return .ethernet
    }

    mutating func udpTunnel(_ port: UInt16) -> Layer {
        guard wire > 0 else { return passed(.udp, 0) }
        context.origin.tunnel = port
        context.origin.tunnelNumber = 0
        switch port {
        case 4789, 8472: return vxlan()
        case 4790: return vxlanGPE()
        case 6081: return geneve()
        case 2152: return gtp()
        case 1701: return l2tp()
        case 4754: return .gre
        case 6635: return .mpls
        case 3544: return teredo()
        case 37008: return tzsp()
        default: return passed(.udp, Int(port))
        }
    }

    /// RFC 7348.
    private mutating func vxlan() -> Layer {
        guard has(8) else { return short }
        guard bytes[0] & 0x08 != 0 else { return passed(.udp, 0) }
        context.origin.tunnelNumber = bytes.integer(UInt32.self, at: 4) >> 8
        return pass(8, then: .ethernet)
    }

    private mutating func vxlanGPE() -> Layer {
        guard has(8) else { return short }
        context.origin.tunnelNumber = bytes.integer(UInt32.self, at: 4) >> 8
        let hasType = bytes[0] & 0x04 != 0
        let type = bytes[3]
        skip(8)
        return hasType ? nextProtocol(type) : .ethernet
    }

    /// As VXLAN-GPE and NSH number them.
    private func nextProtocol(_ number: UInt8) -> Layer {
        switch number {
        case 1, 2: .ip
        case 3: .ethernet
        case 4: .nsh
        case 5: .mpls
        default: passed(.tunnel, 4790)
        }
    }

    /// RFC 8300.
    mutating func nsh() -> Layer {
        guard has(8) else { return short }
        let length = Int(bytes[1] & 0x3F) * 4
        let type = bytes[3]
        guard length >= 8 else { return passed(.malformed) }
        let next: Layer = type == 4 ? passed(.tunnel, 0x894F) : nextProtocol(type)
        return pass(length, then: next)
    }

    /// RFC 8926.
    private mutating func geneve() -> Layer {
        guard has(8) else { return short }
        guard bytes[0] >> 6 == 0 else { return passed(.tunnel, 6081) }
        let length = 8 + Int(bytes[0] & 0x3F) * 4
        let type = bytes.integer(UInt16.self, at: 2)
        context.origin.tunnelNumber = bytes.integer(UInt32.self, at: 4) >> 8
        return pass(length, then: .etherType(type))
    }

    /// 3GPP TS 29.281: user data of version 1.
    private mutating func gtp() -> Layer {
        guard has(8) else { return short }
        guard bytes[0] >> 4 == 3, bytes[1] == 255 else { return passed(.tunnel, 2152) }
        let flags = bytes[0] & 7
        context.origin.tunnelNumber = bytes.integer(UInt32.self, at: 4)
        guard flags != 0 else { return pass(8, then: .ip) }
        guard has(12) else { return short }
        var next = flags & 4 != 0 ? bytes[11] : 0
        skip(12)
        for _ in 0..<Self.layerLimit where next != 0 {
            guard let units = bytes.first, units > 0 else { return short }
            let length = Int(units) * 4
            guard has(length) else { return short }
            next = bytes[length - 1]
            skip(length)
        }
        return next == 0 ? .ip : passed(.nesting)
    }

    /// RFC 2661: data messages of version 2. Version 3's cookie has a length that no packet tells.
    private mutating func l2tp() -> Layer {
        guard let flags = bytes.read(UInt16.self, at: 0) else { return short }
        guard flags & 0x0F == 2, flags & 0x8000 == 0 else { return passed(.tunnel, 1701) }
        var length = flags & 0x4000 != 0 ? 4 : 2
        guard let session = bytes.read(UInt32.self, at: length) else { return short }
        context.origin.tunnelNumber = session
        length += 4
        if flags & 0x0800 != 0 { length += 4 }
        if flags & 0x0200 != 0 {
            guard let pad = bytes.read(UInt16.self, at: length) else { return short }
            length += 2 + Int(pad)
        }
        return pass(length, then: .ppp)
    }

    /// RFC 4380: indications may stand before the IPv6 packet.
    private mutating func teredo() -> Layer {
        for _ in 0..<3 {
            guard let word = bytes.read(UInt16.self, at: 0) else { return short }
            if word == 0 {
                guard has(8) else { return short }
                skip(8)
            } else if word == 1 {
                guard has(13) else { return short }
                let length = 13 + Int(bytes[2]) + Int(bytes[3])
                guard has(length) else { return short }
                skip(length)
            } else {
                break
            }
        }
        guard let first = bytes.first else { return short }
        return first >> 4 == 6 ? .ip : passed(.tunnel, 3544)
    }

    /// TaZmen Sniffer Protocol, as RouterOS streams captures.
    private mutating func tzsp() -> Layer {
        guard has(4) else { return short }
        guard bytes[0] == 1 else { return passed(.tunnel, 37008) }
        let type = bytes.integer(UInt16.self, at: 2)
        skip(4)
        while let tag = bytes.first {
            if tag == 1 {
                skip(1)
                return type == 1
                    ? .ethernet : type == 18 ? wireless() : passed(.tunnel, 37008)
            }
            guard tag != 0 else {
                skip(1)
                continue
            }
            guard let length = bytes.read(UInt8.self, at: 1), has(2 + Int(length)) else {
                return short
            }
            skip(2 + Int(length))
        }
        return short
    }
}

/// Wi-Fi as monitor mode captures it (IEEE 802.11), behind the headers that drivers put before it.
extension PacketWalk {
    mutating func radio(_ type: LinkType) -> Layer {
        let length: Int?
        switch type.rawValue {
        case 127: length = bytes.read(UInt16.self, at: 2, bigEndian: false).map(Int.init)
        case 192:
            guard bytes.read(UInt32.self, at: 4, bigEndian: false) == 105 else {
                return passed(.linkType, 192)
            }
            length = bytes.read(UInt16.self, at: 2, bigEndian: false).map(Int.init)
        default:
            // Prism in the host's byte order, AVS in network order; Prism's has 144 bytes.
            let big = bytes.read(UInt32.self, at: 4).map(Int.init)
            let little = bytes.read(UInt32.self, at: 4, bigEndian: false).map(Int.init)
            length = zip([big].compactMap { $0 }, [little].compactMap { $0 }).map(min).first
        }
        guard let length else { return short }
        guard length >= 8, length <= 65_535 else { return passed(.malformed) }
        guard has(length) else { return short }
        skip(length)
        context.linkAdjustment -= length
        return wireless()
    }

    mutating func wireless() -> Layer {
        guard has(24) else { return bytes.count < 10 ? short : passed(.llc) }
        let control = bytes.integer(UInt16.self, at: 0)
        let kind = control >> 8
        // Data frames, of those with data.
        guard kind & 0x0C == 0x08, kind & 0x40 == 0 else { return passed(.llc) }
        guard control & 0x40 == 0 else { return passed(.encrypted, 105) }
        var length = 24
        if control & 3 == 3 { length += 6 }
        var isAggregate = false
        if kind & 0x80 != 0 {
            guard let service = bytes.read(UInt8.self, at: length) else { return short }
            isAggregate = service & 0x80 != 0
            length += 2
            if control & 0x80 != 0 { length += 4 }
        }
        guard !isAggregate else { return passed(.linkType, 105) }
        // More Fragments, or a fragment number.
        guard control & 4 == 0, bytes[22] & 0x0F == 0 else { return passed(.fragments) }
        guard has(length) else { return short }
        skip(length)
        // With the eight bytes of LLC and SNAP it stands where Ethernet's header would.
        context.linkAdjustment += Self.nominalLinkHeaderLength - length - 8
        return .llc
    }
}
