import SimulationKernel
import Testing

@testable import Capture

/// The contents of links and tunnels give the same figures, wherever they were captured.
struct LayerTests {
    /// A publisher and a player, with the report of their plain capture.
    static let script: PacketScript = {
        var session = CaptureAnalyzerTests.Session()
        for i in 0..<12 { session.relay(i, isVideo: i % 3 != 0, egressSize: 400) }
        return session.script
    }()

    struct Outcome: Equatable {
        var packets: Int
        var understood: Int
        var flows: Int
        var gaps: Int
        var names: [String]
        var matched: [MatchCounts]
        var payload: [Int]
        var delays: [Int64?]

        init(_ report: CaptureReport) {
            packets = report.capture.packets
            understood = report.capture.understoodPackets
            flows = report.capture.flows
            gaps = report.capture.gaps
            names = report.streams.map(\.name)
            matched = report.streams.flatMap { $0.viewers.map(\.messages) }
            payload = report.capture.ports.flatMap {
                [$0.upstream.payloadBytes, $0.downstream.payloadBytes, $0.downstream.segments]
            }
            delays = report.streams.flatMap { $0.viewers.map(\.delayMaximumNanoseconds) }
        }
    }

    static func analyze(
        _ wrap: ([UInt8]) -> (bytes: [UInt8], link: LinkType)
    ) -> CaptureReport {
        var analyzer = CaptureAnalyzer()
        for packet in script.packets {
            let (bytes, link) = wrap(Array(packet.bytes.dropFirst(14)))
            bytes.withUnsafeBytes {
                analyzer.packet(
                    timestampNanoseconds: packet.time, linkType: link, captured: $0,
                    originalLength: bytes.count)
            }
        }
        analyzer.finish()
        return analyzer.report()
    }

    static let plain = Outcome(script.analyzed())

    @Test("each link type gives the plain capture's report", arguments: Layers.links.indices)
    func links(index: Int) {
        let (name, type, wrap) = Layers.links[index]
        for inner in [{ $0 }, Layers.asIPv6] {
            let report = Self.analyze { (wrap(inner($0)), type) }
            #expect(Outcome(report) == Self.plain, "\(name)")
            #expect(report.capture.passedOver.isEmpty, "\(name): \(report.capture.passedOver)")
        }
    }

    @Test("each tunnel gives the plain capture's report", arguments: Layers.overIP.indices)
    func tunnels(index: Int) {
        let (name, wrap) = Layers.overIP[index]
        for inner in [{ $0 }, Layers.asIPv6] {
            let report = Self.analyze { (wrap(inner($0)), .raw) }
            #expect(Outcome(report) == Self.plain, "\(name): \(report.capture.passedOver)")
        }
    }

    @Test(
        "each tag and label gives the plain capture's report",
        arguments: Layers.overEthernet.indices)
    func tags(index: Int) {
        let (name, wrap) = Layers.overEthernet[index]
        for inner in [{ $0 }, Layers.asIPv6] {
            let report = Self.analyze {
                let packet = inner($0)
                let (type, bytes) = wrap(Layers.type(packet), packet)
                return (Layers.ethernet(bytes, type: type), .ethernet)
            }
            #expect(Outcome(report) == Self.plain, "\(name): \(report.capture.passedOver)")
            // The same holds for cooked captures.
            let cooked = Self.analyze {
                let packet = inner($0)
                let (type, bytes) = wrap(Layers.type(packet), packet)
                return (Layers.cooked2(bytes, interface: 4, type: type), .linuxSLL2)
            }
            #expect(Outcome(cooked) == Self.plain, "\(name), cooked")
        }
    }

    @Test("random nestings give the plain capture's report", arguments: 0..<60 as Range<UInt64>)
    func nestings(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let state = generator
        var names: [String] = []
        let report = Self.analyze { packet in
            // The whole capture has one nesting, because a host has one set of layers.
            generator = state
            let isIPv6 = Bool.random(using: &generator)
            let nested = Layers.nest(
                isIPv6 ? Layers.asIPv6(packet) : packet, using: &generator)
            names = nested.names
            return (nested.bytes, nested.link)
        }
        #expect(Outcome(report) == Self.plain, "seed \(seed): \(names)")
        #expect(report.capture.passedOver.isEmpty, "seed \(seed): \(names)")
    }

    @Test("damaged and random packets are each accounted once", arguments: 0..<40 as Range<UInt64>)
    func accounting(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var analyzer = CaptureAnalyzer()
        var time = Self.script.now
        var count = 0
        for _ in 0..<300 {
            guard let packet = Self.script.packets.randomElement(using: &generator) else {
                continue
            }
            var (bytes, link, _) = Layers.nest(
                Array(packet.bytes.dropFirst(14)), using: &generator)
            let whole = bytes.count
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes = (0..<80).map { _ in UInt8.random(in: 0...255, using: &generator) }
            case 1: bytes = Array(bytes.prefix(Int.random(in: 0...whole, using: &generator)))
            case 2:
                for _ in 0..<3 {
                    let at = Int.random(in: 0..<min(80, bytes.count), using: &generator)
                    bytes[at] = UInt8.random(in: 0...255, using: &generator)
                }
            default: link = LinkType(rawValue: UInt32.random(in: 0...300, using: &generator))
            }
            bytes.withUnsafeBytes {
                analyzer.packet(
                    timestampNanoseconds: time, linkType: link, captured: $0,
                    originalLength: max(whole, $0.count))
            }
            count += 1
            time += 50_000_000
        }
        analyzer.finish()
        let capture = analyzer.report().capture
        let passed = capture.passedOver.reduce(0) { $0 + $1.packets }
        #expect(capture.understoodPackets + passed == capture.packets, "seed \(seed)")
        #expect(capture.packets + capture.duplicates == count, "seed \(seed)")
        #expect(capture.otherPackets + capture.malformedPackets == passed, "seed \(seed)")
        #expect(capture.passedOver.allSatisfy { !$0.name.isEmpty && !$0.mend.isEmpty })
    }

    @Test("tunnels in tunnels without end are passed over")
    func depth() {
        var packet = Array(Self.script.packets[0].bytes.dropFirst(14))
        for _ in 0..<60 { packet = Layers.ipv4(packet, protocolNumber: 4) }
        let bytes = packet
        let report = Self.analyze { _ in (bytes, .raw) }
        #expect(report.capture.understoodPackets == 0)
        #expect(report.capture.passedOver.map(\.reason) == [.nesting])
    }
}
