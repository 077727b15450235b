/// IPv4, IPv6 and their payloads.
extension PacketWalk {
    mutating func ip() -> Layer {
        guard let first = bytes.first else { return short }
        context.networkOffset = offset
        switch first >> 4 {
        case 4: return ipv4()
        case 6: return ipv6()
        default: return passed(.malformed)
        }
    }

    private mutating func ipv4() -> Layer {
        guard has(20) else { return short }
        let header = Int(bytes[0] & 0x0F) * 4
        guard header >= 20 else { return passed(.malformed) }
        let total = Int(bytes.integer(UInt16.self, at: 2))
        let number = bytes[9]
        let flags = bytes.integer(UInt16.self, at: 6)
        // A length of 0 means a super-segment of more than 64 KiB, or one that is not filled in
        // yet.
        guard total == 0 || total >= header else { return passed(.malformed) }
        guard has(header) else { return short }
        context.source = Endpoint(ipv4: bytes.integer(UInt32.self, at: 12), port: 0)
        context.destination = Endpoint(ipv4: bytes.integer(UInt32.self, at: 16), port: 0)
        context.identification = bytes.integer(UInt16.self, at: 4)
        if total > 0 { end(at: total) }
        skip(header)
        // The packet is a fragment if More Fragments is set or its offset is not 0.
        guard flags & 0x3FFF == 0 else {
            return fragment(
                number, UInt32(context.identification), at: Int(flags & 0x1FFF) * 8,
                isLast: flags & 0x2000 == 0)
        }
        return .transport(number)
    }

    private mutating func ipv6() -> Layer {
        guard has(40) else { return short }
        let payload = Int(bytes.integer(UInt16.self, at: 4))
        let number = bytes[6]
        context.source = address(at: 8)
        context.destination = address(at: 24)
        context.identification = 0
        // A length of 0 means a jumbogram or a super-segment.
        if payload > 0 { end(at: payload + 40) }
        skip(40)
        return .transport(number)
    }

    /// Ends the packet at `length`: the bytes behind it are padding. If the length exceeds the
    /// packet's length on the wire, a tool has cut the packet and written the cut length as the
    /// original one.
    private mutating func end(at length: Int) {
        if length > wire { restore(wire: length) }
        truncate(to: length)
    }

    private func address(at offset: Int) -> Endpoint {
        Endpoint(
            high: bytes.integer(UInt64.self, at: offset),
            low: bytes.integer(UInt64.self, at: offset + 8), port: 0)
    }

    private func fragment(
        _ number: UInt8, _ identification: UInt32, at offset: Int, isLast: Bool
    ) -> Layer {
        guard wire > 0, offset + wire <= FragmentTable.packetLimit, isLast || wire % 8 == 0 else {
            return passed(.fragments)
        }
        var fragment = IPFragment(
            key: .init(
                source: context.source, destination: context.destination,
                identification: identification, protocolNumber: number),
            offset: offset, isLast: isLast, payloadLength: wire, payload: bytes, context: context,
            headersLength: self.offset)
        var mix = identityBase
        mix.add(UInt64(identification) << 32 | UInt64(offset))
        mix.add(UInt64(number) << 32 | UInt64(wire))
        fragment.identity = PacketIdentity(
            key: mix.value, identification: UInt16(truncatingIfNeeded: identification))
        return .done(.fragment(fragment))
    }

    private var identityBase: ContentMix {
        var mix = ContentMix()
        mix.add(context.source.high)
        mix.add(context.source.low)
        mix.add(context.destination.high)
        mix.add(context.destination.low)
        return mix
    }

    /// Reads the header behind an IP header or an extension header.
    mutating func transport(_ number: UInt8) -> Layer {
        switch number {
        case 6: return tcp()
        case 17: return udp()
        case 4, 41, 94: return innerIP(number)
        case 47: return .gre
        case 0, 43, 60, 135, 139, 140:
            guard let next = bytes.first, let length = bytes.read(UInt8.self, at: 1) else {
                return short
            }
            return pass(8 * (Int(length) + 1), then: .transport(next))
        case 51:
            guard let next = bytes.first, let length = bytes.read(UInt8.self, at: 1) else {
                return short
            }
            return pass(4 * (Int(length) + 2), then: .transport(next))
        case 44:
            guard has(8) else { return short }
            let word = bytes.integer(UInt16.self, at: 2)
            let identification = bytes.integer(UInt32.self, at: 4)
            let next = bytes[0]
            skip(8)
            // A fragment header with offset 0 and no fragments to follow changes nothing.
            guard word & 0xFFF9 != 0 else { return .transport(next) }
            return fragment(
                next, identification, at: Int(word & 0xFFF8), isLast: word & 1 == 0)
        case 50, 108: return passed(.encrypted, Int(number))
        case 97: return pass(2, then: enter(97, 0, .ethernet))
        case 137: return enter(137, 0, .mpls)
        case 143: return enter(143, 0, .ethernet)
        case 115, 55: return passed(.tunnel, Int(number))
        default: return passed(.ipProtocol, Int(number))
        }
    }

    private mutating func innerIP(_ number: UInt8) -> Layer {
        enter(UInt16(number), 0, .ip)
    }

    /// Skips a header of `count` bytes.
    mutating func pass(_ count: Int, then next: Layer) -> Layer {
        guard has(count) else { return short }
        skip(count)
        return next
    }

    /// Enters a tunnel of this kind and number.
    mutating func enter(_ kind: UInt16, _ number: UInt32, _ next: Layer) -> Layer {
        context.origin.tunnel = kind
        context.origin.tunnelNumber = number
        return next
    }

    /// Whether the payload looks like VXLAN, for overlay networks may use any port: a VXLAN header
    /// has nothing set but its flag and number.
    private func isLikelyVXLAN(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard let head = payload.read(UInt32.self, at: 0),
            let tail = payload.read(UInt8.self, at: 7),
            let type = payload.read(UInt16.self, at: 20),
            let first = payload.read(UInt8.self, at: 22)
        else { return false }
        return head == 0x0800_0000 && tail == 0
            && (type == 0x0800 && first >> 4 == 4 || type == 0x86DD && first >> 4 == 6)
    }

    private mutating func udp() -> Layer {
        guard has(8) else { return short }
        let source = bytes.integer(UInt16.self, at: 0)
        let destination = bytes.integer(UInt16.self, at: 2)
        for port in [destination, source] where TunnelLayers.isTunnel(port) {
            skip(8)
            return .udpTunnel(port)
        }
        if isLikelyVXLAN(bytes.from(8)) {
            skip(8)
            return .udpTunnel(4789)
        }
        switch (source, destination) {
        case (4500, _), (_, 4500): return passed(.encrypted, 4500)
        case (51820, _), (_, 51820): return passed(.encrypted, 51820)
        default: return passed(.udp, LayerNames.namedPort(source, destination))
        }
    }

    private mutating func tcp() -> Layer {
        guard has(20) else { return short }
        let header = Int(bytes[12] >> 4) * 4
        guard header >= 20, wire >= header else { return passed(.malformed) }
        var source = context.source
        var destination = context.destination
        source.port = bytes.integer(UInt16.self, at: 0)
        destination.port = bytes.integer(UInt16.self, at: 2)
        let options = bytes.from(20).upTo(header - 20)
        let payloadLength = wire - header
        var segment = CapturedTCPSegment(
            source: source, destination: destination,
            sequence: bytes.integer(UInt32.self, at: 4),
            acknowledgement: bytes.integer(UInt32.self, at: 8), flags: bytes[13],
            linkHeaderLength: max(0, context.networkOffset + context.linkAdjustment),
            networkHeaderLength: offset - context.networkOffset,
            transportHeaderLength: header, payloadLength: payloadLength,
            payload: bytes.from(header).upTo(payloadLength))
        segment.origin = context.origin
        if segment.flags & CapturedTCPSegment.syn != 0 {
            segment.maximumSegmentSize = Self.option(2, length: 4, in: options).flatMap {
                $0.read(UInt16.self, at: 2).map(Int.init)
            }
            segment.openingMark = openingMark(segment, options)
        }
        segment.identity = PacketIdentity(
            tcp: bytes, source: source, destination: destination,
            identification: context.identification, headerLength: header,
            payloadLength: payloadLength)
        return .done(.tcp(segment))
    }

    /// Mark that a server's SYN has before and after address translation, and that no other SYN
    /// has: it is made of both sequence numbers and both timestamps (RFC 7323).
    private func openingMark(
        _ segment: CapturedTCPSegment, _ options: UnsafeRawBufferPointer
    ) -> UInt64? {
        guard segment.flags & CapturedTCPSegment.ack != 0,
            let times = Self.option(8, length: 10, in: options)?.read(UInt64.self, at: 2)
        else { return nil }
        var mix = ContentMix()
        mix.add(UInt64(segment.sequence) << 32 | UInt64(segment.acknowledgement))
        mix.add(times)
        return mix.value
    }

    /// Returns the first TCP option of this kind, if it has this length.
    private static func option(
        _ kind: UInt8, length: Int, in options: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        var offset = 0
        while offset < options.count {
            switch options[offset] {
            case 0: return nil
            case 1: offset += 1
            case let other:
                guard let size = options.read(UInt8.self, at: offset + 1), size >= 2 else {
                    return nil
                }
                if other == kind {
                    let option = options.from(offset).upTo(Int(size))
                    return option.count == length ? option : nil
                }
                offset += Int(size)
            }
        }
        return nil
    }
}
