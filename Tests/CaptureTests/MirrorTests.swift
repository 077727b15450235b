import Testing

@testable import Capture

/// A mirror port that sends both directions shows each packet twice, with nothing that
/// distinguishes the two; IPv6 has no identification either.
struct MirrorTests {
    private static func analyze(
        _ packets: [(time: Int64, bytes: [UInt8])], copiesAfter delays: [Int64]
    ) -> CaptureReport {
        CopyTests.analyze(
            packets.flatMap { packet in
                delays.map {
                    CopyTests.Sight(
                        time: packet.time + $0,
                        bytes: Layers.ethernet(packet.bytes, type: Layers.type(packet.bytes)),
                        link: .ethernet)
                }
            })
    }

    @Test("the second copy of each packet without an identification")
    func copies() {
        let packets = CopyTests.packets(isIPv6: true)
        let report = Self.analyze(packets, copiesAfter: [0, 20_000])
        #expect(LayerTests.Outcome(report) == LayerTests.plain)
        #expect(report.streams.first?.retransmittedBytes == 0)
        #expect(report.capture.duplicates == packets.count)
        #expect(report.capture.notes.first?.contains("mirror one direction") == true)
    }

    /// Copies that a busy monitor port has queued are recognised by their number.
    @Test("late copies", arguments: [110_000, 150_000] as [Int64])
    func late(delay: Int64) {
        let packets = CopyTests.packets(isIPv6: true)
        let report = Self.analyze(packets, copiesAfter: [0, delay])
        #expect(report.streams.first?.retransmittedBytes == 0)
        #expect(report.capture.duplicates >= packets.count - 2)
        #expect(LayerTests.Outcome(report).payload == LayerTests.plain.payload)
    }

    @Test(
        "what is sent again counts, mirrored or not", arguments: [[0], [0, 20_000]] as [[Int64]])
    func retransmission(delays: [Int64]) {
        var packets = CopyTests.packets(isIPv6: true)
        let index = packets.lastIndex { $0.bytes.count > 400 } ?? 0
        var again = packets[index]
        again.time += 400_000
        packets.append(again)
        let report = Self.analyze(packets, copiesAfter: delays)
        let payload = again.bytes.count - 40 - 32
        #expect(report.streams.first?.retransmittedBytes == payload)
        #expect(report.capture.duplicates == packets.count * (delays.count - 1))
    }
}
