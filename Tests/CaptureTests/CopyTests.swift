import Testing

@testable import Capture

/// A packet that several interfaces show counts once; a packet that is sent again counts again.
struct CopyTests {
    /// A packet as one interface shows it.
    struct Sight {
        var time: Int64
        var bytes: [UInt8]
        var link: LinkType = .linuxSLL2
        var interface: UInt32?
    }

    /// Makes IP packets with their times; each IPv4 packet has an identification of its own.
    static func packets(
        of script: PacketScript = LayerTests.script, isIPv6: Bool = false
    ) -> [(time: Int64, bytes: [UInt8])] {
        script.packets.enumerated().map { index, packet in
            var bytes = Array(packet.bytes.dropFirst(14))
            if isIPv6 { return (packet.time, Layers.asIPv6(bytes)) }
            bytes.replaceSubrange(4..<6, with: Layers.half(index + 1))
            return (packet.time, bytes)
        }
    }

    static func analyze(_ sights: [Sight], names: [UInt32: String] = [:]) -> CaptureReport {
        var analyzer = CaptureAnalyzer()
        analyzer.sorter.copies.interfaceNames = names
        for sight in sights.sorted(by: { $0.time < $1.time }) {
            sight.bytes.withUnsafeBytes {
                analyzer.packet(
                    timestampNanoseconds: sight.time, linkType: sight.link, captured: $0,
                    originalLength: sight.bytes.count, interface: sight.interface)
            }
        }
        analyzer.finish()
        return analyzer.report()
    }

    private func expectPlain(
        _ report: CaptureReport, copies: Int, _ comment: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            LayerTests.Outcome(report) == LayerTests.plain, "\(comment)",
            sourceLocation: sourceLocation)
        #expect(report.streams.first?.retransmittedBytes == 0, sourceLocation: sourceLocation)
        #expect(report.capture.duplicates == copies, "\(comment)", sourceLocation: sourceLocation)
        #expect(
            report.capture.copies?.packets == copies, "\(comment)", sourceLocation: sourceLocation)
        #expect(report.capture.notes.count == 1, sourceLocation: sourceLocation)
    }

    @Test("two and three interfaces of -i any", arguments: [false, true], [2, 3])
    func any(isIPv6: Bool, interfaces: Int) {
        let packets = Self.packets(isIPv6: isIPv6)
        let report = Self.analyze(
            packets.flatMap { packet in
                (0..<interfaces).map { index in
                    Sight(
                        time: packet.time + Int64(index) * 4_000,
                        bytes: Layers.cooked2(packet.bytes, interface: 7 - index))
                }
            })
        expectPlain(report, copies: packets.count * (interfaces - 1), "\(interfaces)")
        let names = (0..<interfaces).map { "interface \(7 - $0)" }.sorted()
        #expect(report.capture.copies?.interfaces == names)
        #expect(report.capture.notes[0].contains("-i eth0"))
    }

    @Test("cooked captures of version 1, routed, with another TTL, service class and checksums")
    func routed() {
        let packets = Self.packets()
        let report = Self.analyze(
            packets.flatMap { packet in
                var routed = packet.bytes
                routed[8] -= 1
                routed[1] = 0xB8
                routed.replaceSubrange(10..<12, with: [0xAB, 0xCD])
                routed.replaceSubrange(36..<38, with: [0x12, 0x34])
                return [
                    Sight(
                        time: packet.time,
                        bytes: Layers.cooked(packet.bytes, isOutgoing: false, address: 5),
                        link: .linuxSLL),
                    Sight(
                        time: packet.time + 900_000,
                        bytes: Layers.cooked(routed, isOutgoing: true, address: 6),
                        link: .linuxSLL),
                ]
            })
        expectPlain(report, copies: packets.count, "routed")
        #expect(
            report.capture.copies?.interfaces == [
                "incoming at 02:00:00:00:00:05", "outgoing at 02:00:00:00:00:06",
            ])
    }

    @Test("tagged and untagged, and inside and outside of a tunnel", arguments: [false, true])
    func tagged(isIPv6: Bool) {
        let packets = Self.packets(isIPv6: isIPv6)
        let report = Self.analyze(
            packets.flatMap { packet in
                let type = Layers.type(packet.bytes)
                let plain = Layers.ethernet(packet.bytes, type: type)
                let tagged = Layers.ethernet(
                    Layers.half(5) + Layers.half(type) + packet.bytes, type: 0x8100)
                let tunnel = Layers.ethernet(
                    Layers.udp([8, 0, 0, 0, 0, 0, 9, 0] + plain, port: 4789), type: 0x0800)
                return [plain, tagged, tunnel].enumerated().map {
                    Sight(
                        time: packet.time + Int64($0.offset) * 30_000, bytes: $0.element,
                        link: .ethernet)
                }
            })
        expectPlain(report, copies: packets.count * 2, "tagged")
        #expect(
            report.capture.copies?.interfaces == ["VLAN 5", "in VXLAN 9", "untagged"])
    }

    @Test("interfaces of a pcapng file are named as it names them")
    func named() {
        let packets = Self.packets()
        let report = Self.analyze(
            packets.flatMap { packet in
                [
                    Sight(time: packet.time, bytes: packet.bytes, link: .raw, interface: 0),
                    Sight(
                        time: packet.time + 5_000,
                        bytes: Layers.ethernet(packet.bytes, type: 0x0800), link: .ethernet,
                        interface: 1),
                ]
            }, names: [0: "veth12", 1: "eth0"])
        expectPlain(report, copies: packets.count, "pcapng")
        #expect(report.capture.copies?.interfaces == ["veth12", "eth0"])
    }

    @Test("packets that are spread over interfaces are no copies")
    func spread() {
        let packets = Self.packets()
        let report = Self.analyze(
            packets.enumerated().map { index, packet in
                Sight(
                    time: packet.time,
                    bytes: Layers.cooked2(packet.bytes, interface: index % 3))
            })
        #expect(LayerTests.Outcome(report) == LayerTests.plain)
        #expect(report.capture.copies == nil && report.capture.notes.isEmpty)
    }

    /// Makes a segment, and the same segment sent again within a millisecond.
    private func resent(isIPv6: Bool, interfaces: Int, after: Int64 = 400_000) -> CaptureReport {
        var packets = Self.packets(isIPv6: isIPv6)
        let index = packets.lastIndex { $0.bytes.count > 400 } ?? 0
        var again = packets[index]
        again.time += after
        // IPv6 has no identification; a retransmission of IPv4 has a new one.
        if !isIPv6 { again.bytes.replaceSubrange(4..<6, with: [0x77, 0x77]) }
        packets.append(again)
        return Self.analyze(
            packets.flatMap { packet in
                (0..<interfaces).map {
                    Sight(
                        time: packet.time + Int64($0) * 4_000,
                        bytes: Layers.cooked2(packet.bytes, interface: 7 - $0))
                }
            })
    }

    @Test(
        "a retransmission within a millisecond counts, its copies do not", arguments: [false, true])
    func retransmission(isIPv6: Bool) {
        let once = resent(isIPv6: isIPv6, interfaces: 1)
        let bytes = once.streams.first?.retransmittedBytes ?? 0
        #expect(bytes > 0)
        for interfaces in [2, 3] {
            let report = resent(isIPv6: isIPv6, interfaces: interfaces)
            #expect(report.streams.first?.retransmittedBytes == bytes)
            #expect(report.capture.packets == once.capture.packets)
            #expect(report.capture.duplicates == once.capture.packets * (interfaces - 1))
        }
    }

    @Test("the same bytes much later are sent again, whatever their identification")
    func later() {
        let packets = Self.packets()
        let index = packets.lastIndex { $0.bytes.count > 400 } ?? 0
        let sights = packets.map { Sight(time: $0.time, bytes: $0.bytes, link: .raw) }
        let again = Sight(
            time: packets[index].time + 200_000_000, bytes: packets[index].bytes, link: .raw)
        let report = Self.analyze(sights + [again])
        #expect((report.streams.first?.retransmittedBytes ?? 0) > 0)
        #expect(report.capture.duplicates == 0)
    }

    @Test("a mirror port's second copy of each packet")
    func mirrored() {
        let packets = Self.packets()
        let report = Self.analyze(
            packets.flatMap { packet in
                [0, 20_000].map {
                    Sight(
                        time: packet.time + $0,
                        bytes: Layers.ethernet(packet.bytes, type: 0x0800), link: .ethernet)
                }
            })
        expectPlain(report, copies: packets.count, "mirror")
        #expect(report.capture.notes[0].contains("mirror one direction"))
    }

    /// Makes a super-segment on one interface, and the segments that offloading makes of it on
    /// another.
    private func offloaded(superFirst: Bool, isIPv6: Bool, resends: Bool) -> CaptureReport {
        var script = PacketScript()
        var player = PacketScript.Connection(clientPort: 40002)
        script.handshake(&player)
        script.packets = script.packets.map { packet in
            var packet = packet
            packet.bytes.removeFirst(14)
            if isIPv6 { packet.bytes = Layers.asIPv6(packet.bytes) }
            return packet
        }
        func frame(_ payload: [UInt8], _ sequence: UInt32, identification: Int) -> [UInt8] {
            var bytes = Array(
                PacketScript.tcp(
                    player, up: false, flags: 0x18, sequence: sequence, payload: payload
                ).dropFirst(14))
            if isIPv6 { return Layers.asIPv6(bytes) }
            bytes.replaceSubrange(4..<6, with: Layers.half(identification))
            return bytes
        }
        let payload = [UInt8](repeating: 9, count: 1400 * 4)
        var sights = script.packets.map {
            Sight(time: $0.time, bytes: Layers.cooked2($0.bytes, interface: 2))
        }
        func add(_ time: Int64, _ identification: Int) {
            let parts = (0..<4).map {
                Sight(
                    time: time + Int64($0) * 1_000 + (superFirst ? 2_000 : 0),
                    bytes: Layers.cooked2(
                        frame(
                            Array(payload[..<1400]),
                            player.serverSequence &+ UInt32($0 * 1400),
                            identification: identification + $0), interface: 2))
            }
            let whole = Sight(
                time: time + (superFirst ? 0 : 8_000),
                bytes: Layers.cooked2(
                    frame(payload, player.serverSequence, identification: identification),
                    interface: 7))
            sights += parts + [whole]
        }
        add(script.now, 100)
        if resends { add(script.now + 500_000, 200) }
        return Self.analyze(sights)
    }

    @Test(
        "super-segments that offloading cuts up or merges between interfaces",
        arguments: [false, true], [false, true])
    func offloading(superFirst: Bool, isIPv6: Bool) {
        let report = offloaded(superFirst: superFirst, isIPv6: isIPv6, resends: false)
        let traffic = report.capture.ports[0].downstream
        #expect(traffic.payloadBytes == 5600)
        #expect(traffic.retransmittedBytes == 0)
        #expect(report.capture.duplicates == (superFirst ? 4 : 1))
        guard !isIPv6 else { return }
        let again = offloaded(superFirst: superFirst, isIPv6: false, resends: true)
        #expect(again.capture.ports[0].downstream.retransmittedBytes == 5600)
        #expect(again.capture.duplicates == (superFirst ? 8 : 2))
    }

    @Test(
        "whole on one interface and in fragments inside a tunnel on another",
        arguments: [false, true])
    func fragmented(isIPv6: Bool) {
        let packets = Self.packets(isIPv6: isIPv6)
        var copies = 0
        let report = Self.analyze(
            packets.enumerated().flatMap { index, packet in
                let type = Layers.type(packet.bytes)
                let tunnel = Layers.udp(
                    [8, 0, 0, 0, 0, 0, 9, 0] + Layers.ethernet(packet.bytes, type: type),
                    port: 4789)
                let pieces = FragmentTests.pieces(tunnel, size: 200, identification: index + 1)
                copies += pieces.count
                return [
                    Sight(time: packet.time, bytes: Layers.cooked2(packet.bytes, interface: 7))
                ]
                    + pieces.enumerated().map {
                        Sight(
                            time: packet.time + 10_000 + Int64($0.offset),
                            bytes: Layers.cooked2($0.element, interface: 2))
                    }
            })
        expectPlain(report, copies: copies, "fragmented")
    }

    @Test("a connection before and after address translation counts once")
    func translated() throws {
        var script = PacketScript()
        var player = PacketScript.Connection(clientPort: 40002)
        let times: [UInt8] = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]
        for (up, flags) in [(true, 0x02), (false, 0x12)] as [(Bool, UInt8)] {
            script.add(PacketScript.tcp(player, up: up, flags: flags, options: times))
            if up { player.clientSequence &+= 1 } else { player.serverSequence &+= 1 }
        }
        script.send([3, 1, 2, 3], &player, up: true)
        for _ in 0..<10 {
            script.send([UInt8](repeating: 5, count: 500), &player, up: false)
        }
        let once = script.analyzed().capture
        let packets = Self.packets(of: script)
        let report = Self.analyze(
            packets.flatMap { packet in
                // The server's address becomes the container's.
                var inside = packet.bytes
                for at in [12, 16] where inside[at + 3] == 1 {
                    inside.replaceSubrange(at..<at + 4, with: [172, 17, 0, 2])
                }
                return [
                    Sight(time: packet.time, bytes: Layers.cooked2(packet.bytes, interface: 2)),
                    Sight(
                        time: packet.time + 30_000, bytes: Layers.cooked2(inside, interface: 7)),
                ]
            }
        ).capture
        #expect(report.flows == 1)
        #expect(report.ports == once.ports)
        // The client's SYN alone does not identify the connection.
        #expect(report.duplicates == packets.count - 1)
        #expect(report.copies?.interfaces == ["interface 2", "interface 7"])
    }

    @Test("the filter's memory does not grow")
    func bounds() {
        var filter = CopyFilter()
        for i in 0..<100_000 as Range<UInt64> {
            var mix = ContentMix()
            mix.add(i)
            var origin = PacketOrigin()
            origin.index = UInt32(i)
            _ = filter.isCopy(
                PacketIdentity(key: mix.value, identification: 1), origin: origin,
                originHash: origin.hash, time: Int64(i))
        }
        #expect(filter.rememberedPackets <= 16_384)
        #expect(filter.rememberedOrigins <= CopyFilter.nameLimit)
        var table = TranslationTable()
        let key = FlowKey(Endpoint(ipv4: 1, port: 1), Endpoint(ipv4: 2, port: 2))
        for mark in 0..<50_000 as Range<UInt64> {
            _ = table.original(of: mark, flow: key, origin: 1, time: 0)
            #expect(table.rememberedOpenings <= TranslationTable.limit)
        }
    }
}
