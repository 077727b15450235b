import Testing

@testable import Capture

/// Packets that are not dissected are reported with the reason and the remedy.
struct PassedOverTests {
    static let packet = Array(LayerTests.script.packets[0].bytes.dropFirst(14))

    static func ethernet(_ type: Int) -> [UInt8] {
        Layers.ethernet(Layers.zeros(60), type: type)
    }

    /// Table of the name in the report, reason, bytes, link type, and words of the remedy.
    static let table: [(String, PassedOver.Reason, [UInt8], LinkType, String)] = [
        ("link type 253 (Linux netlink)", .linkType, packet, LinkType(rawValue: 253), "any"),
        ("link type 4000", .linkType, packet, LinkType(rawValue: 4000), "any"),
        ("EtherType 0x0806 (ARP)", .etherType, ethernet(0x0806), .ethernet, "none"),
        ("EtherType 0x8863 (PPPoE discovery)", .etherType, ethernet(0x8863), .ethernet, "none"),
        ("EtherType 0x1234", .etherType, ethernet(0x1234), .ethernet, "plain IP"),
        (
            "encrypted: MACsec (EtherType 0x88e5)", .encrypted, ethernet(0x88E5), .ethernet,
            "plain"
        ),
        ("IEEE 802.2 frames without IP", .llc, ethernet(60), .ethernet, "none"),
        (
            "PPP protocol 0xc021 (LCP)", .pppProtocol,
            Layers.ethernet([0x11, 0, 0, 1, 0, 8, 0xC0, 0x21] + Layers.zeros(6), type: 0x8864),
            .ethernet, "none"
        ),
        (
            "PPP protocol 0x2d (Van Jacobson compressed TCP)", .pppProtocol,
            [0, 0x2D, 1, 2, 3, 4], LinkType(rawValue: 9), "compression off"
        ),
        (
            "IP protocol 1 (ICMP)", .ipProtocol,
            Layers.ipv4(Layers.zeros(8), protocolNumber: 1), .raw, "none"
        ),
        (
            "encrypted: IPsec ESP", .encrypted, Layers.ipv4(Layers.zeros(40), protocolNumber: 50),
            .raw, "host itself"
        ),
        (
            "encrypted: WireGuard (UDP port 51820)", .encrypted,
            Layers.udp(Layers.zeros(40), port: 51820), .raw, "host itself"
        ),
        ("UDP port 53 (DNS)", .udp, Layers.udp(Layers.zeros(9), port: 53), .raw, "none"),
        (
            "UDP port 443 (QUIC, HTTP/3)", .udp, Layers.udp(Layers.zeros(9), port: 443), .raw,
            "HTTP/1.1"
        ),
        (
            "tunnel L2TPv3 of a form that is not understood", .tunnel,
            Layers.ipv4(Layers.zeros(40), protocolNumber: 115), .raw, "inside the tunnel"
        ),
        (
            "cut inside their headers by the snap length", .cutHeaders,
            Array(packet.prefix(30)), .raw, "-s 0"
        ),
        (
            "IP fragments of which the rest is missing", .fragments,
            Layers.ipv4(Layers.zeros(40), protocolNumber: 6, flags: 0x2000), .raw, "filter"
        ),
        (
            "address family 99", .addressFamily, [99, 0, 0, 0] + packet, .null, "capture on"
        ),
    ]

    private func report(
        _ bytes: [UInt8], _ link: LinkType, originalLength: Int, options: CaptureOptions = .init()
    ) -> CaptureSummary {
        var analyzer = CaptureAnalyzer(options: options)
        for index in 0..<3 {
            var bytes = bytes
            // Copies would count once, so each packet has an identification of its own.
            if link == .raw, bytes.count > 6 { bytes[5] = UInt8(index + 1) }
            bytes.withUnsafeBytes {
                analyzer.packet(
                    timestampNanoseconds: Int64(index) * 1_000_000_000, linkType: link,
                    captured: $0, originalLength: originalLength)
            }
        }
        analyzer.finish()
        return analyzer.report().capture
    }

    @Test("each reason by number and name", arguments: table.indices)
    func reasons(index: Int) {
        let (name, reason, bytes, link, mend) = Self.table[index]
        let isCut = reason == .cutHeaders
        let capture = report(
            bytes, link, originalLength: isCut ? Self.packet.count : bytes.count)
        #expect(capture.passedOver.map(\.name) == [name])
        #expect(capture.passedOver.map(\.reason) == [reason])
        #expect(capture.passedOver.map(\.packets) == [3])
        #expect(capture.passedOver.allSatisfy { $0.mend.contains(mend) })
        #expect(capture.packets == 3 && capture.understoodPackets == 0)
        #expect(capture.warnings.isEmpty == (mend == "none"))
    }

    @Test("ports that were not asked for, and connections beyond the limit")
    func limits() {
        var options = CaptureOptions()
        options.serverPorts = [8080]
        let other = report(Self.packet, .raw, originalLength: Self.packet.count, options: options)
        #expect(other.passedOver.map(\.reason) == [.otherPorts])
        #expect(other.warnings.isEmpty)
        options = CaptureOptions()
        options.flowLimit = 0
        let beyond = report(Self.packet, .raw, originalLength: Self.packet.count, options: options)
        #expect(beyond.passedOver.map(\.reason) == [.connectionLimit])
    }

    @Test("connections of TLS are told")
    func encrypted() {
        var script = PacketScript()
        var connection = PacketScript.Connection(clientPort: 40003, serverPort: 443)
        script.handshake(&connection)
        script.send([0x16, 3, 1, 2, 0, 1], &connection, up: true)
        let capture = script.analyzed().capture
        #expect(capture.undissectedFlows == 1 && capture.encryptedFlows == 1)
        #expect(capture.notes.count == 1 && capture.notes[0].contains("TLS"))
    }

    @Test("reasons without end are bounded")
    func bounds() {
        var counts = PassedOverCounts()
        for number in 0..<10_000 { counts.add(.init(.linkType, number: number)) }
        #expect(counts.rows.count <= PassedOverCounts.limit + 1)
        #expect(counts.rows.reduce(0) { $0 + $1.packets } == 10_000)
        #expect(counts.rows.first?.reason == .others)
    }

    @Test("packets that the snap length cuts are told, and are no loss")
    func snapLength() throws {
        var script = LayerTests.script
        let plain = script.analyzed().capture
        script.packets = script.packets.map {
            .init(
                time: $0.time, bytes: Array($0.bytes.prefix(96)), originalLength: $0.originalLength)
        }
        let capture = script.analyzed().capture
        let cut = script.packets.filter { $0.originalLength > 96 }.count
        #expect(capture.cutPackets == cut && cut > 0)
        #expect(capture.cutLength == 96)
        #expect(capture.gaps == 0 && capture.gapBytes == 0)
        #expect(capture.cutFlows == 2 && capture.undissectedFlows == 2)
        #expect(capture.passedOver.isEmpty)
        #expect(
            capture.notes == [
                "\(cut) of \(capture.packets) packets are cut at 96 bytes: capture with -s 0"
            ])
        for (one, other) in zip(capture.ports, plain.ports) {
            #expect(one.upstream == other.upstream && one.downstream == other.downstream)
        }
        // Some tools write the cut length as the original one.
        script.packets = script.packets.map {
            .init(time: $0.time, bytes: $0.bytes, originalLength: $0.bytes.count)
        }
        let trimmed = script.analyzed().capture
        #expect(trimmed.cutPackets == cut && trimmed.gaps == 0)
        #expect(trimmed.ports.map(\.downstream) == capture.ports.map(\.downstream))
    }
}
