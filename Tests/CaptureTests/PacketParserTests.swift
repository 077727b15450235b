import Testing

@testable import Capture

struct PacketParserTests {
    static let frame = PacketScript.tcp(
        .init(clientPort: 50000), up: true, flags: 0x18, payload: [1, 2, 3])
    static let packet = Array(frame.dropFirst(14))

    static func ipv6(_ extensions: [UInt8], first: UInt8) -> [UInt8] {
        let tcp = Array(packet.dropFirst(20))
        let length = extensions.count + tcp.count
        return [0x60, 0, 0, 0, UInt8(length >> 8), UInt8(length & 0xFF), first, 64]
            + [UInt8](repeating: 0x11, count: 16) + [UInt8](repeating: 0x22, count: 16)
            + extensions + tcp
    }

    /// Table of name, bytes, link type, and header lengths of link and network.
    static let good: [(String, [UInt8], LinkType, Int, Int)] = [
        ("Ethernet", frame, .ethernet, 14, 20),
        ("Ethernet with padding", frame + [0, 0, 0, 0, 0], .ethernet, 14, 20),
        (
            "one VLAN tag", Array(frame.prefix(12)) + [0x81, 0, 0, 5, 8, 0] + packet, .ethernet, 18,
            20
        ),
        (
            "two VLAN tags",
            Array(frame.prefix(12)) + [0x88, 0xA8, 0, 5, 0x81, 0, 0, 6, 8, 0] + packet, .ethernet,
            22, 20
        ),
        ("raw", packet, .raw, 14, 20),
        ("IPv4", packet, .ipv4, 14, 20),
        ("null", [2, 0, 0, 0] + packet, .null, 14, 20),
        ("loop", [0, 0, 0, 2] + packet, .loop, 14, 20),
        (
            "cooked", [0, 0, 3, 4, 0, 6] + [UInt8](repeating: 0, count: 8) + [8, 0] + packet,
            .linuxSLL, 14, 20
        ),
        (
            "cooked, version 2",
            [8, 0, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6] + [UInt8](repeating: 0, count: 8) + packet,
            .linuxSLL2, 14, 20
        ),
        ("IPv6", ipv6([], first: 6), .ipv6, 14, 40),
        (
            "IPv6 with hop-by-hop and an atomic fragment",
            ipv6([44, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 9], first: 0), .raw, 14, 56
        ),
    ]

    @Test("headers of every kind", arguments: good.indices)
    func headers(index: Int) throws {
        let (name, bytes, linkType, link, network) = Self.good[index]
        let parsed = bytes.withUnsafeBytes {
            PacketParser.parse($0, linkType: linkType, originalLength: $0.count)
        }
        guard case .tcp(let segment) = parsed else {
            Issue.record("\(name): \(parsed)")
            return
        }
        #expect(segment.linkHeaderLength == link, "\(name)")
        #expect(segment.networkHeaderLength == network, "\(name)")
        #expect(segment.transportHeaderLength == 32, "\(name)")
        #expect(segment.payloadLength == 3, "\(name)")
        #expect(segment.source.port == 50000 && segment.destination.port == 1935, "\(name)")
        // No prefix of the bytes may trap.
        for length in 0..<bytes.count {
            bytes.prefix(length).withUnsafeBytes {
                _ = PacketParser.parse($0, linkType: linkType, originalLength: bytes.count)
            }
        }
    }

    private func kind(_ bytes: [UInt8], _ linkType: LinkType) -> String {
        let parsed = bytes.withUnsafeBytes {
            PacketParser.parse($0, linkType: linkType, originalLength: $0.count)
        }
        return switch parsed {
        case .tcp: "tcp"
        case .fragment: "fragment"
        case .duplicate: "duplicate"
        case .passedOver(let passed):
            passed.reason.rawValue + (passed.number.map { " \($0)" } ?? "")
        }
    }

    @Test("what is not a usable TCP segment")
    func others() {
        var fragment = Self.packet
        fragment[6] = 0x20
        // A piece that another one follows holds a multiple of eight bytes.
        #expect(kind(fragment, .raw) == "ip-fragments")
        fragment[3] -= 3
        #expect(kind(fragment, .raw) == "fragment")
        #expect(
            kind(Self.ipv6([6, 0, 0, 8, 0, 0, 0, 9], first: 44), .raw) == "fragment")
        var udp = Self.packet
        udp[9] = 17
        #expect(kind(udp, .raw) == "udp 0")
        var short = Self.packet
        short[32] = 0x40
        #expect(kind(short, .raw) == "malformed")
        let outgoing: [UInt8] = [0, 4, 3, 4, 0, 6] + [UInt8](repeating: 0, count: 8) + [8, 0]
        #expect(kind(outgoing + Self.packet, .linuxSLL) == "duplicate")
        #expect(kind(Self.frame, LinkType(rawValue: 9999)) == "link-type 9999")
    }

    @Test("addresses")
    func addresses() {
        #expect(Endpoint(ipv4: 0x7F00_0001, port: 1).address == "127.0.0.1")
        #expect(Endpoint(high: 0, low: 1, port: 1).address == "0:0:0:0:0:0:0:1")
    }
}
