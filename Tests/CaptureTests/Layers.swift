import SimulationKernel

@testable import Capture

/// Puts the headers of links and tunnels around IP packets.
enum Layers {
    static func half(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }
    static func word(_ value: Int) -> [UInt8] { half(value >> 16) + half(value) }
    static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    /// Returns the EtherType of an IP packet.
    static func type(_ packet: [UInt8]) -> Int { packet[0] >> 4 == 6 ? 0x86DD : 0x0800 }

    static func ethernet(_ payload: [UInt8], type: Int, source: UInt8 = 2) -> [UInt8] {
        [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, source] + half(type) + payload
    }

    static func cooked2(_ packet: [UInt8], interface: Int, type: Int? = nil) -> [UInt8] {
        half(type ?? Self.type(packet)) + half(0) + word(interface) + half(1) + [0, 6]
            + [2, 0, 0, 0, 0, UInt8(interface)] + half(0) + packet
    }

    static func cooked(_ packet: [UInt8], isOutgoing: Bool, address: UInt8) -> [UInt8] {
        half(isOutgoing ? 4 : 0) + half(1) + half(6) + [2, 0, 0, 0, 0, address] + half(0)
            + half(type(packet)) + packet
    }

    static func ipv4(
        _ payload: [UInt8], protocolNumber: UInt8, identification: Int = 77, flags: Int = 0
    ) -> [UInt8] {
        [0x45, 0] + half(20 + payload.count) + half(identification) + half(flags)
            + [64, protocolNumber] + half(0) + [192, 0, 2, 1, 192, 0, 2, 2] + payload
    }

    static func ipv6(_ payload: [UInt8], next: UInt8) -> [UInt8] {
        [0x60, 0, 0, 0] + half(payload.count) + [next, 64] + [UInt8](repeating: 0x20, count: 16)
            + [UInt8](repeating: 0x21, count: 16) + payload
    }

    static func udp(_ payload: [UInt8], port: Int) -> [UInt8] {
        ipv4(
            half(40_000) + half(port) + half(8 + payload.count) + half(0) + payload,
            protocolNumber: 17)
    }

    /// Converts an IPv4 packet of TCP to IPv6, with the addresses mapped as `Endpoint` maps them.
    static func asIPv6(_ packet: [UInt8]) -> [UInt8] {
        let header = Int(packet[0] & 15) * 4
        let mapped = zeros(10) + [0xFF, 0xFF]
        let payload = Array(packet[header...])
        return [0x60, 0, 0, 0] + half(payload.count) + [6, 64] + mapped + packet[12..<16] + mapped
            + packet[16..<20] + payload
    }

    /// Ways in which another IP packet or Ethernet can carry an IP packet; each takes an IP packet
    /// and returns one.
    static let overIP: [(name: String, wrap: @Sendable ([UInt8]) -> [UInt8])] = [
        ("IPIP", { $0[0] >> 4 == 6 ? ipv4($0, protocolNumber: 41) : ipv4($0, protocolNumber: 4) }),
        ("IP in IPv6", { ipv6($0, next: $0[0] >> 4 == 6 ? 41 : 4) }),
        (
            "IPv6 with hop-by-hop and destination options",
            { ipv6([60, 0] + zeros(6) + [$0[0] >> 4 == 6 ? 41 : 4, 0] + zeros(6) + $0, next: 0) }
        ),
        ("GRE", { ipv4(half(0) + half(type($0)) + $0, protocolNumber: 47) }),
        (
            "GRE with key, checksum and sequence",
            { ipv4(half(0xB000) + half(type($0)) + zeros(12) + $0, protocolNumber: 47) }
        ),
        (
            "GRE bridging",
            {
                ipv4(half(0) + half(0x6558) + ethernet($0, type: type($0)), protocolNumber: 47)
            }
        ),
        (
            "ERSPAN II",
            {
                ipv4(
                    half(0x1000) + half(0x88BE) + zeros(4) + half(0x1000) + half(5) + zeros(4)
                        + ethernet($0, type: type($0)), protocolNumber: 47)
            }
        ),
        (
            "ERSPAN III",
            {
                ipv4(
                    half(0x1000) + half(0x22EB) + zeros(4) + zeros(12)
                        + ethernet($0, type: type($0)), protocolNumber: 47)
            }
        ),
        (
            "PPTP",
            {
                ipv4(
                    half(0x3081) + half(0x880B) + half($0.count + 4) + half(1) + zeros(8)
                        + [0xFF, 3] + half($0[0] >> 4 == 6 ? 0x57 : 0x21) + $0, protocolNumber: 47)
            }
        ),
        ("VXLAN", { udp([8, 0, 0, 0, 0, 0, 9, 0] + ethernet($0, type: type($0)), port: 4789) }),
        (
            "VXLAN 8472",
            { udp([8, 0, 0, 0, 0, 0, 9, 0] + ethernet($0, type: type($0)), port: 8472) }
        ),
        (
            "VXLAN on another port",
            { udp([8, 0, 0, 0, 0, 0, 9, 0] + ethernet($0, type: type($0)), port: 65_330) }
        ),
        ("VXLAN-GPE", { udp([12, 0, 0, $0[0] >> 4 == 6 ? 2 : 1, 0, 0, 9, 0] + $0, port: 4790) }),
        (
            "Geneve with an option",
            {
                udp(
                    [2, 0] + half(0x6558) + [0, 0, 9, 0] + zeros(8)
                        + ethernet($0, type: type($0)), port: 6081)
            }
        ),
        ("GTP-U", { udp([0x30, 255] + half($0.count) + word(7) + $0, port: 2152) }),
        (
            "GTP-U with an extension",
            {
                udp(
                    [0x34, 255] + half($0.count + 8) + word(7) + [0, 0, 0, 0x85] + [1, 0, 0, 0]
                        + $0, port: 2152)
            }
        ),
        (
            "L2TP",
            {
                udp(
                    half(0x4002) + half($0.count + 12) + half(1) + half(2) + [0xFF, 3]
                        + half($0[0] >> 4 == 6 ? 0x57 : 0x21) + $0, port: 1701)
            }
        ),
        (
            "TZSP",
            { udp([1, 0, 0, 1, 0, 10, 1, 5, 1] + ethernet($0, type: type($0)), port: 37008) }
        ),
        ("MPLS in UDP", { udp(word(17 << 12 | 0x1FF) + $0, port: 6635) }),
        ("AH", { ipv4([$0[0] >> 4 == 6 ? 41 : 4, 4] + zeros(22) + $0, protocolNumber: 51) }),
        ("EtherIP", { ipv4([0x30, 0] + ethernet($0, type: type($0)), protocolNumber: 97) }),
        (
            "fragments of one",
            { ipv6([$0[0] >> 4 == 6 ? 41 : 4, 0, 0, 0, 0, 0, 0, 9] + $0, next: 44) }
        ),
    ]

    /// Layers between Ethernet and IP; each returns an EtherType and the bytes after it.
    static let overEthernet: [(name: String, wrap: @Sendable (Int, [UInt8]) -> (Int, [UInt8]))] = [
        ("802.1Q", { (0x8100, half(5) + half($0) + $1) }),
        ("802.1ad", { (0x88A8, half(6) + half($0) + $1) }),
        ("QinQ 0x9100", { (0x9100, half(7) + half($0) + $1) }),
        (
            "PPPoE",
            {
                (
                    0x8864,
                    [0x11, 0] + half(3) + half($1.count + 2)
                        + half($1[0] >> 4 == 6 ? 0x57 : 0x21) + $1
                )
            }
        ),
        (
            "PPPoE with a short protocol",
            {
                (
                    0x8864,
                    [0x11, 0] + half(3) + half($1.count + 1) + [$1[0] >> 4 == 6 ? 0x57 : 0x21]
                        + $1
                )
            }
        ),
        ("MPLS", { (0x8847, word(16 << 12 | 64) + word(17 << 12 | 0x140) + $1) }),
        (
            "MPLS pseudowire",
            { (0x8847, word(17 << 12 | 0x140) + zeros(4) + ethernet($1, type: $0)) }
        ),
        ("provider backbone", { (0x88E7, word(9) + ethernet($1, type: $0)) }),
        ("NSH", { (0x894F, [0, 2, 2, 3, 0, 0, 0, 1] + ethernet($1, type: $0)) }),
    ]

    /// Links that carry an IP packet.
    static let links: [(name: String, type: LinkType, wrap: @Sendable ([UInt8]) -> [UInt8])] = [
        ("Ethernet", .ethernet, { ethernet($0, type: type($0)) }),
        (
            "SNAP", .ethernet,
            {
                ethernet(
                    [0xAA, 0xAA, 3, 0, 0, 0] + half(type($0)) + $0, type: min(1500, $0.count + 8))
            }
        ),
        ("raw", .raw, { $0 }),
        ("raw 12", LinkType(rawValue: 12), { $0 }),
        ("null", .null, { [$0[0] >> 4 == 6 ? 30 : 2, 0, 0, 0] + $0 }),
        ("null of another byte order", .null, { [0, 0, 0, $0[0] >> 4 == 6 ? 24 : 2] + $0 }),
        ("loop", .loop, { [0, 0, 0, $0[0] >> 4 == 6 ? 24 : 2] + $0 }),
        ("cooked", .linuxSLL, { cooked($0, isOutgoing: false, address: 9) }),
        ("cooked, version 2", .linuxSLL2, { cooked2($0, interface: 3) }),
        (
            "PPP", LinkType(rawValue: 9), { half($0[0] >> 4 == 6 ? 0x57 : 0x21) + $0 }
        ),
        (
            "PPP in HDLC", LinkType(rawValue: 50),
            { [0xFF, 3] + half($0[0] >> 4 == 6 ? 0x57 : 0x21) + $0 }
        ),
        (
            "PPP with direction", LinkType(rawValue: 204),
            { [1, 0xFF, 3] + half($0[0] >> 4 == 6 ? 0x57 : 0x21) + $0 }
        ),
        (
            "PPPoE alone", LinkType(rawValue: 51),
            { [0x11, 0, 0, 3] + half($0.count + 2) + half($0[0] >> 4 == 6 ? 0x57 : 0x21) + $0 }
        ),
        ("MPLS", LinkType(rawValue: 219), { word(16 << 12 | 64) + word(17 << 12 | 0x140) + $0 }),
        (
            "LLC of ATM", LinkType(rawValue: 100),
            { [0xAA, 0xAA, 3, 0, 0, 0] + half(type($0)) + $0 }
        ),
        ("Cisco HDLC", LinkType(rawValue: 104), { [0x0F, 0] + half(type($0)) + $0 }),
        (
            "802.11", LinkType(rawValue: 105),
            {
                [0x88, 1] + zeros(22) + zeros(2) + [0xAA, 0xAA, 3, 0, 0, 0] + half(type($0)) + $0
            }
        ),
        (
            "radiotap", LinkType(rawValue: 127),
            {
                [0, 0, 12, 0] + zeros(8) + [0x08, 3] + zeros(28) + [0xAA, 0xAA, 3, 0, 0, 0]
                    + half(type($0)) + $0
            }
        ),
        (
            "NFLOG", LinkType(rawValue: 239),
            {
                let length = $0.count + 4
                return [$0[0] >> 4 == 6 ? 10 : 2, 0, 0, 0, 8, 0, 1, 0, 1, 2, 3, 4]
                    + [UInt8(length & 0xFF), UInt8(length >> 8), 9, 0] + $0
            }
        ),
        (
            "PKTAP as private use", LinkType(rawValue: 149),
            {
                [108, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + Array("lo0".utf8) + zeros(93)
                    + [$0[0] >> 4 == 6 ? 30 : 2, 0, 0, 0] + $0
            }
        ),
        (
            "PKTAP", LinkType(rawValue: 258),
            {
                [108, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0] + Array("en0".utf8) + zeros(93)
                    + ethernet($0, type: type($0))
            }
        ),
    ]

    /// Makes a random nesting of up to six layers around an IP packet, and the link below them.
    static func nest(
        _ packet: [UInt8], using generator: inout SeededGenerator
    ) -> (bytes: [UInt8], link: LinkType, names: [String]) {
        var packet = packet
        var names: [String] = []
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            guard let layer = overIP.randomElement(using: &generator) else { continue }
            packet = layer.wrap(packet)
            names.append(layer.name)
        }
        if Bool.random(using: &generator) {
            var type = type(packet)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                guard let layer = overEthernet.randomElement(using: &generator) else { continue }
                // PPPoE and MPLS carry IP, not other EtherTypes.
                let carriesIP = layer.name.hasPrefix("PPPoE") || layer.name == "MPLS"
                guard !carriesIP || type == 0x0800 || type == 0x86DD else { continue }
                (type, packet) = layer.wrap(type, packet)
                names.append(layer.name)
            }
            return (ethernet(packet, type: type), .ethernet, names)
        }
        guard let link = links.randomElement(using: &generator) else { return ([], .raw, []) }
        return (link.wrap(packet), link.type, names + [link.name])
    }
}
