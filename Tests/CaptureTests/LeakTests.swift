import Testing

@testable import Capture

/// Connections, and the streams they play, are freed with the analyzer, or earlier if they have
/// ended.
struct LeakTests {
    private final class Weak {
        weak var flow: Flow?
        weak var subscriber: CapturedSubscriber?
        weak var stream: CapturedStream?

        init(_ flow: Flow) {
            self.flow = flow
            subscriber = flow.roles.lazy.compactMap(\.subscriber).first
            stream = flow.roles.first?.stream
        }
    }

    private static func packets(connections: Int) -> PacketScript {
        var script = PacketScript()
        for index in 0..<connections {
            var connection = PacketScript.Connection(
                clientPort: UInt16(20_000 + index), clientSequence: UInt32(index * 10_000))
            script.openRTMP(&connection, publishes: index % 10 == 0, name: "s\(index / 10)")
        }
        return script
    }

    private func feed(_ analyzer: inout CaptureAnalyzer, _ script: PacketScript) {
        for packet in script.packets {
            packet.bytes.withUnsafeBytes {
                analyzer.packet(
                    timestampNanoseconds: packet.time, linkType: .ethernet, captured: $0,
                    originalLength: packet.originalLength)
            }
        }
    }

    @Test("no connection, subscriber or stream outlives its analyzer")
    func analyzer() {
        var references: [Weak] = []
        do {
            var analyzer = CaptureAnalyzer()
            feed(&analyzer, Self.packets(connections: 1_000))
            references = analyzer.flows.values.map(Weak.init)
            #expect(references.allSatisfy { $0.flow != nil && $0.stream != nil })
            #expect(references.filter { $0.subscriber != nil }.count == 900)
            analyzer.finish()
            _ = analyzer.report()
        }
        #expect(references.count == 1_000)
        #expect(references.allSatisfy { $0.flow == nil })
        #expect(references.allSatisfy { $0.subscriber == nil && $0.stream == nil })
    }

    @Test("a connection whose ports are used again is let go at once; its figures stay")
    func reused() throws {
        var analyzer = CaptureAnalyzer()
        let script = Self.packets(connections: 20)
        feed(&analyzer, script)
        let references = analyzer.flows.values.map(Weak.init)
        var again = PacketScript()
        again.now = script.now
        for index in 0..<20 {
            var connection = PacketScript.Connection(
                clientPort: UInt16(20_000 + index), clientSequence: UInt32(7 + index))
            again.handshake(&connection)
        }
        feed(&analyzer, again)
        #expect(references.allSatisfy { $0.flow == nil })
        let report = analyzer.report()
        #expect(report.streams.reduce(0) { $0 + $1.viewers.count } == 18)
        #expect(report.streams.allSatisfy { $0.publishers == 1 })
    }
}
