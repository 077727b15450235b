import SimulationKernel
import Testing

@testable import Capture

/// IP packets that were sent in fragments are read.
struct FragmentTests {
    /// Splits an IPv4 or IPv6 packet into fragments of `size` bytes of payload.
    static func pieces(_ packet: [UInt8], size: Int, identification: Int) -> [[UInt8]] {
        let isIPv6 = packet[0] >> 4 == 6
        let header = isIPv6 ? 40 : 20
        let payload = Array(packet[header...])
        return stride(from: 0, to: payload.count, by: size).map { start in
            let part = Array(payload[start..<min(payload.count, start + size)])
            let more = start + size < payload.count
            if isIPv6 {
                let fragment =
                    [packet[6], 0] + Layers.half(start | (more ? 1 : 0))
                    + Layers.word(identification)
                var bytes = Array(packet[..<40]) + fragment + part
                bytes.replaceSubrange(4..<6, with: Layers.half(part.count + 8))
                bytes[6] = 44
                return bytes
            }
            var bytes = Array(packet[..<20]) + part
            bytes.replaceSubrange(2..<4, with: Layers.half(bytes.count))
            bytes.replaceSubrange(4..<6, with: Layers.half(identification))
            bytes.replaceSubrange(6..<8, with: Layers.half(start / 8 | (more ? 0x2000 : 0)))
            return bytes
        }
    }

    private func analyze(_ packets: [[UInt8]], copies: Int = 1) -> CaptureReport {
        CopyTests.analyze(
            packets.enumerated().flatMap { index, bytes in
                (0..<copies).map {
                    .init(
                        time: LayerTests.script.now + Int64(index) * 3_000_000 + Int64($0) * 4_000,
                        bytes: Layers.cooked2(bytes, interface: $0 + 1))
                }
            })
    }

    @Test("pieces in any order give the packet", arguments: [false, true], 0..<5 as Range<UInt64>)
    func whole(isIPv6: Bool, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var sent = 0
        let packets = CopyTests.packets(isIPv6: isIPv6).enumerated().flatMap { index, packet in
            let inner =
                seed % 2 == 0
                ? packet.bytes
                : Layers.udp(
                    [8, 0, 0, 0, 0, 0, 9, 0]
                        + Layers.ethernet(packet.bytes, type: Layers.type(packet.bytes)), port: 4789
                )
            let pieces = Self.pieces(inner, size: 200, identification: index + 1)
            sent += pieces.count
            return pieces.shuffled(using: &generator)
        }
        for copies in [1, 2] {
            let report = analyze(packets, copies: copies)
            #expect(report.capture.packets == sent)
            #expect(report.capture.understoodPackets == sent)
            #expect(report.capture.passedOver.isEmpty)
            #expect(report.capture.duplicates == sent * (copies - 1))
            #expect(report.streams.map(\.name) == ["show"])
            #expect(report.streams.first?.viewers.map(\.messages) == LayerTests.plain.matched)
        }
    }

    @Test("pieces that do not fit are passed over, and memory is bounded")
    func bounds() {
        var table = FragmentTable()
        let bytes = [UInt8](repeating: 1, count: 64)
        var refused = 0
        bytes.withUnsafeBytes { payload in
            for index in 0..<2_000 {
                let key = IPFragment.Key(
                    source: Endpoint(ipv4: 1, port: 0), destination: Endpoint(ipv4: 2, port: 0),
                    identification: UInt32(index / 2), protocolNumber: 6)
                // The second fragment overlaps the first.
                let fragment = IPFragment(
                    key: key, offset: index % 2 == 0 ? 600 : 632, isLast: false,
                    payloadLength: 64, payload: payload, context: .init(), headersLength: 20)
                if case .refused = table.add(fragment, packets: 1, time: 0) { refused += 1 }
            }
        }
        #expect(refused == 1_000 && table.lostPackets == 1_000)
        bytes.withUnsafeBytes { payload in
            for index in 0..<2_000 {
                let key = IPFragment.Key(
                    source: Endpoint(ipv4: 1, port: 0), destination: Endpoint(ipv4: 2, port: 0),
                    identification: UInt32(index), protocolNumber: 6)
                let fragment = IPFragment(
                    key: key, offset: 0, isLast: false, payloadLength: 64, payload: payload,
                    context: .init(), headersLength: 20)
                _ = table.add(fragment, packets: 1, time: 0)
            }
        }
        #expect(table.waitingPackets == FragmentTable.countLimit)
        table.finish()
        #expect(table.lostPackets == 3_000)
    }
}
