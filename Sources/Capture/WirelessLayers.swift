/// Wi-Fi as monitor mode captures it (IEEE 802.11), behind the headers that drivers add.
enum WirelessLayers {
    static func radio(_ walk: inout PacketWalk, _ type: LinkType) -> PacketWalk.Layer {
        let length: Int?
        switch type.rawValue {
        case 127: length = walk.bytes.read(UInt16.self, at: 2, bigEndian: false).map(Int.init)
        case 192:
            guard walk.bytes.read(UInt32.self, at: 4, bigEndian: false) == 105 else {
                return walk.passed(.linkType, 192)
            }
            length = walk.bytes.read(UInt16.self, at: 2, bigEndian: false).map(Int.init)
        default:
            // The header is Prism in the host's byte order or AVS in network order; Prism's has 144
            // bytes.
            let big = walk.bytes.read(UInt32.self, at: 4).map(Int.init)
            let little = walk.bytes.read(UInt32.self, at: 4, bigEndian: false).map(Int.init)
            length = zip([big].compactMap { $0 }, [little].compactMap { $0 }).map(min).first
        }
        guard let length else { return walk.short }
        guard length >= 8, length <= 65_535 else { return walk.passed(.malformed) }
        guard walk.has(length) else { return walk.short }
        walk.skip(length)
        walk.context.linkAdjustment -= length
        return wireless(&walk)
    }

    static func wireless(_ walk: inout PacketWalk) -> PacketWalk.Layer {
        guard walk.has(24) else { return walk.bytes.count < 10 ? walk.short : walk.passed(.llc) }
        let control = walk.bytes.integer(UInt16.self, at: 0)
        let kind = control >> 8
        // Only data frames that carry data are read.
        guard kind & 0x0C == 0x08, kind & 0x40 == 0 else { return walk.passed(.llc) }
        guard control & 0x40 == 0 else { return walk.passed(.encrypted, 105) }
        var length = 24
        if control & 3 == 3 { length += 6 }
        var isAggregate = false
        if kind & 0x80 != 0 {
            guard let service = walk.bytes.read(UInt8.self, at: length) else { return walk.short }
            isAggregate = service & 0x80 != 0
            length += 2
            if control & 0x80 != 0 { length += 4 }
        }
        guard !isAggregate else { return walk.passed(.linkType, 105) }
        // The frame is a fragment if More Fragments is set or it has a fragment number.
        guard control & 4 == 0, walk.bytes[22] & 0x0F == 0 else { return walk.passed(.fragments) }
        guard walk.has(length) else { return walk.short }
        walk.skip(length)
        // With the eight bytes of LLC and SNAP, the header counts as Ethernet's.
        walk.context.linkAdjustment += PacketWalk.nominalLinkHeaderLength - length - 8
        return .llc
    }
}
