/// Tunnels over IP and UDP.
enum TunnelLayers {
    static func isTunnel(_ port: UInt16) -> Bool {
        switch port {
        case 1701, 2152, 3544, 4754, 4789, 4790, 6081, 6635, 8472, 37008: true
        default: false
        }
    }

    /// Reads GRE (RFC 2784, 2890); version 1 is PPTP's (RFC 2637).
    static func gre(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(4) else { return walk.short }
        let flags = walk.bytes.integer(UInt16.self, at: 0)
        let type = walk.bytes.integer(UInt16.self, at: 2)
        let version = flags & 7
        guard version <= 1 else { return walk.passed(.tunnel, 47) }
        var length = 4
        var key: UInt32 = 0
        if flags & 0x8000 != 0 { length += 4 }
        if flags & 0x2000 != 0 {
            guard let value = walk.bytes.read(UInt32.self, at: length) else { return walk.short }
            key = version == 1 ? value & 0xFFFF : value
            length += 4
        }
        if flags & 0x1000 != 0 { length += 4 }
        if version == 1, flags & 0x0080 != 0 { length += 4 }
        guard walk.has(length) else { return walk.short }
        let hasSequence = flags & 0x1000 != 0
        walk.skip(length)
        guard walk.wire > 0 else { return walk.passed(.ipProtocol, 47) }
        walk.context.origin.tunnel = 47
        walk.context.origin.tunnelNumber = key
        switch type {
        case 0x88BE: return erspan(&walk, hasSequence ? 8 : 0)
        case 0x22EB:
            // Type III has a subheader of 8 bytes if its last bit says so.
            guard let last = walk.bytes.read(UInt8.self, at: 11) else { return walk.short }
            return erspan(&walk, last & 1 == 1 ? 20 : 12)
        case 0x883E:
            // This is WCCP; version 2 puts a header of four bytes before the packet.
            guard let first = walk.bytes.first else { return walk.short }
            return first >> 4 == 4 ? .ip : walk.pass(4, then: .ip)
        default: return .etherType(type)
        }
    }

    private static func erspan(_ walk: inout PacketWalk, _ length: Int) -> PacketWalk.Layer {
        guard walk.has(length) else { return walk.short }
        walk.context.origin.tunnel = 0x88BE
        if length >= 8 {
            walk.context.origin.tunnelNumber = UInt32(
                walk.bytes.integer(UInt16.self, at: 2) & 0x3FF)
        }
        walk.skip(length)
        return .ethernet
    }

    static func udpTunnel(_ walk: inout PacketWalk, _ port: UInt16) -> PacketWalk.Layer {
        guard walk.wire > 0 else { return walk.passed(.udp, 0) }
        walk.context.origin.tunnel = port
        walk.context.origin.tunnelNumber = 0
        switch port {
        case 4789, 8472: return vxlan(&walk)
        case 4790: return vxlanGPE(&walk)
        case 6081: return geneve(&walk)
        case 2152: return gtp(&walk)
        case 1701: return l2tp(&walk)
        case 4754: return .gre
        case 6635: return .mpls
        case 3544: return teredo(&walk)
        case 37008: return tzsp(&walk)
        default: return walk.passed(.udp, Int(port))
        }
    }

    /// Reads VXLAN (RFC 7348).
    private static func vxlan(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(8) else { return walk.short }
        guard walk.bytes[0] & 0x08 != 0 else { return walk.passed(.udp, 0) }
        walk.context.origin.tunnelNumber = walk.bytes.integer(UInt32.self, at: 4) >> 8
        return walk.pass(8, then: .ethernet)
    }

    private static func vxlanGPE(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(8) else { return walk.short }
        walk.context.origin.tunnelNumber = walk.bytes.integer(UInt32.self, at: 4) >> 8
        let hasType = walk.bytes[0] & 0x04 != 0
        let type = walk.bytes[3]
        walk.skip(8)
        return hasType ? nextProtocol(walk, type) : .ethernet
    }

    /// Reads a protocol number of VXLAN-GPE and NSH.
    private static func nextProtocol(_ walk: PacketWalk, _ number: UInt8) -> PacketWalk.Layer {
        switch number {
        case 1, 2: .ip
        case 3: .ethernet
        case 4: .nsh
        case 5: .mpls
        default: walk.passed(.tunnel, 4790)
        }
    }

    /// Reads NSH (RFC 8300).
    static func nsh(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(8) else { return walk.short }
        let length = Int(walk.bytes[1] & 0x3F) * 4
        let type = walk.bytes[3]
        guard length >= 8 else { return walk.passed(.malformed) }
        let next: PacketWalk.Layer =
            type == 4 ? walk.passed(.tunnel, 0x894F) : nextProtocol(walk, type)
        return walk.pass(length, then: next)
    }

    /// Reads Geneve (RFC 8926).
    private static func geneve(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(8) else { return walk.short }
        guard walk.bytes[0] >> 6 == 0 else { return walk.passed(.tunnel, 6081) }
        let length = 8 + Int(walk.bytes[0] & 0x3F) * 4
        let type = walk.bytes.integer(UInt16.self, at: 2)
        walk.context.origin.tunnelNumber = walk.bytes.integer(UInt32.self, at: 4) >> 8
        return walk.pass(length, then: .etherType(type))
    }

    /// Reads GTP (3GPP TS 29.281): user data of version 1.
    private static func gtp(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(8) else { return walk.short }
        guard walk.bytes[0] >> 4 == 3, walk.bytes[1] == 255 else {
            return walk.passed(.tunnel, 2152)
        }
        let flags = walk.bytes[0] & 7
        walk.context.origin.tunnelNumber = walk.bytes.integer(UInt32.self, at: 4)
        guard flags != 0 else { return walk.pass(8, then: .ip) }
        guard walk.has(12) else { return walk.short }
        var next = flags & 4 != 0 ? walk.bytes[11] : 0
        walk.skip(12)
        for _ in 0..<PacketWalk.layerLimit where next != 0 {
            guard let units = walk.bytes.first, units > 0 else { return walk.short }
            let length = Int(units) * 4
            guard walk.has(length) else { return walk.short }
            next = walk.bytes[length - 1]
            walk.skip(length)
        }
        return next == 0 ? .ip : walk.passed(.nesting)
    }

    /// Reads L2TP (RFC 2661): data messages of version 2. Version 3's cookie has a length that no
    /// packet states.
    private static func l2tp(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard let flags = walk.bytes.read(UInt16.self, at: 0) else { return walk.short }
        guard flags & 0x0F == 2, flags & 0x8000 == 0 else { return walk.passed(.tunnel, 1701) }
        var length = flags & 0x4000 != 0 ? 4 : 2
        guard let session = walk.bytes.read(UInt32.self, at: length) else { return walk.short }
        walk.context.origin.tunnelNumber = session
        length += 4
        if flags & 0x0800 != 0 { length += 4 }
        if flags & 0x0200 != 0 {
            guard let pad = walk.bytes.read(UInt16.self, at: length) else { return walk.short }
            length += 2 + Int(pad)
        }
        return walk.pass(length, then: .ppp)
    }

    /// Reads Teredo (RFC 4380); indications may stand before the IPv6 packet.
    private static func teredo(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        for _ in 0..<3 {
            guard let word = walk.bytes.read(UInt16.self, at: 0) else { return walk.short }
            if word == 0 {
                guard walk.has(8) else { return walk.short }
                walk.skip(8)
            } else if word == 1 {
                guard walk.has(13) else { return walk.short }
                let length = 13 + Int(walk.bytes[2]) + Int(walk.bytes[3])
                guard walk.has(length) else { return walk.short }
                walk.skip(length)
            } else {
                break
            }
        }
        guard let first = walk.bytes.first else { return walk.short }
        return first >> 4 == 6 ? .ip : walk.passed(.tunnel, 3544)
    }

    /// Reads the TaZmen Sniffer Protocol, in which RouterOS streams captures.
    private static func tzsp(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(4) else { return walk.short }
        guard walk.bytes[0] == 1 else { return walk.passed(.tunnel, 37008) }
        let type = walk.bytes.integer(UInt16.self, at: 2)
        walk.skip(4)
        while let tag = walk.bytes.first {
            if tag == 1 {
                walk.skip(1)
                return type == 1
                    ? .ethernet
                    : type == 18 ? WirelessLayers.wireless(&walk) : walk.passed(.tunnel, 37008)
            }
            guard tag != 0 else {
                walk.skip(1)
                continue
            }
            guard let length = walk.bytes.read(UInt8.self, at: 1), walk.has(2 + Int(length)) else {
                return walk.short
            }
            walk.skip(2 + Int(length))
        }
        return walk.short
    }
}
