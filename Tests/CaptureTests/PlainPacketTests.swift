import Testing

@testable import Capture

/// The short way through the headers of usual packets has the results of the long way.
struct PlainPacketTests {
    private static let connection = PacketScript.Connection(clientPort: 50000)
    private static var bare: PacketScript.Connection {
        var connection = Self.connection
        connection.hasTimestamps = false
        return connection
    }

    static let frames: [(name: String, bytes: [UInt8])] = [
        ("payload", PacketScript.tcp(connection, up: true, flags: 0x18, payload: [1, 2, 3])),
        ("acknowledgement", PacketScript.tcp(connection, up: false, flags: 0x10)),
        ("no options", PacketScript.tcp(bare, up: false, flags: 0x10, payload: [1])),
        ("end", PacketScript.tcp(connection, up: true, flags: 0x11)),
        (
            "padding",
            PacketScript.tcp(bare, up: true, flags: 0x10) + [UInt8](repeating: 9, count: 6)
        ),
    ]

    @Test("a segment is the one that the walk finds", arguments: frames.map { $0.name })
    func segments(name: String) throws {
        let frame = try #require(Self.frames.first { $0.name == name })
        let bytes = frame.bytes
        var plainPackets = 0
        for length in 0...bytes.count {
            bytes.prefix(length).withUnsafeBytes { captured in
                guard let plain = PlainPacket(captured, wire: bytes.count) else { return }
                plainPackets += 1
                var origin = EthernetOrigin()
                origin.update(captured)
                #expect(origin.hash == origin.origin.hash)
                let short = plain.segment(origin: origin.origin)
                let parsed = PacketParser.parse(
                    captured, linkType: .ethernet, originalLength: bytes.count)
                guard case .tcp(let long) = parsed else {
                    Issue.record("the walk finds no segment in \(length) bytes")
                    return
                }
                #expect(short.identity == long.identity)
                #expect(short.origin == long.origin)
                #expect(short.source == long.source && short.destination == long.destination)
                #expect(short.sequence == long.sequence)
                #expect(short.acknowledgement == long.acknowledgement)
                #expect(short.flags == long.flags)
                #expect(short.linkHeaderLength == long.linkHeaderLength)
                #expect(short.networkHeaderLength == long.networkHeaderLength)
                #expect(short.transportHeaderLength == long.transportHeaderLength)
                #expect(short.payloadLength == long.payloadLength)
                #expect(Array(short.payload) == Array(long.payload))
                #expect(plain.isCut == long.isCut)
            }
        }
        #expect(plainPackets > 0)
    }

    @Test("openings, fragments, tags and options of IP take the walk")
    func others() {
        let frame = Self.frames[0].bytes
        func isPlain(_ bytes: [UInt8]) -> Bool {
            bytes.withUnsafeBytes { PlainPacket($0, wire: $0.count) != nil }
        }
        #expect(isPlain(frame))
        #expect(!isPlain(PacketScript.tcp(Self.connection, up: true, flags: 0x02)))
        for (offset, value) in [(12, 0x81), (14, 0x46), (20, 0x20), (21, 1), (23, 17), (46, 0x40)] {
            var other = frame
            other[offset] = UInt8(value)
            #expect(!isPlain(other), "byte \(offset)")
        }
        // The length of IP exceeds the packet.
        var long = frame
        long[16] = 1
        #expect(!isPlain(long))
    }

    @Test("counts without dissection are those of a capture without Ethernet headers")
    func counts() throws {
        var session = CaptureAnalyzerTests.Session()
        for i in 0..<50 { session.relay(i, isVideo: i % 2 == 0, egressSize: 200) }
        // The latest bytes are sent again, 60 ms later.
        let again = session.script.packets.suffix(4).map(\.bytes)
        session.script.now += 60_000_000
        for bytes in again { session.script.add(bytes) }
        var options = CaptureOptions()
        options.dissectedSubscribersPerStream = 0
        let short = session.script.analyzed(options)
        var analyzer = CaptureAnalyzer(options: options)
        for packet in session.script.packets {
            packet.bytes.dropFirst(14).withUnsafeBytes {
                analyzer.packet(
                    timestampNanoseconds: packet.time, linkType: .raw, captured: $0,
                    originalLength: packet.originalLength - 14)
            }
        }
        analyzer.finish()
        let long = analyzer.report()
        #expect(short.capture.ports == long.capture.ports)
        #expect(short.capture.packets == long.capture.packets)
        #expect(short.capture.duplicates == long.capture.duplicates)
        let port = try #require(short.capture.ports.first)
        #expect(port.downstream.retransmittedBytes > 0)
        let stream = try #require(short.streams.first)
        let other = try #require(long.streams.first)
        #expect(stream.downstream == other.downstream)
        #expect(stream.viewers == other.viewers)
        #expect(!stream.downstream.isEmpty)
        // Each packet counts once as well where no copies are looked for.
        options.seesPacketsOnce = true
        let once = session.script.analyzed(options)
        #expect(once.capture.packets == session.script.packets.count)
        #expect(once.capture.packets == short.capture.packets + short.capture.duplicates)
        #expect(once.capture.understoodPackets == once.capture.packets)
        #expect(once.capture.duplicates == 0)
    }

    @Test("a connection is found in both directions until it is removed")
    func cache() {
        let client = Endpoint(ipv4: 0x0A00_0002, port: 50000)
        let server = Endpoint(ipv4: 0x0A00_0001, port: 1935)
        let flow = Flow(client: client, server: server)
        var cache = FlowCache()
        #expect(cache.flow(client, server) == nil)
        cache.put(flow)
        #expect(cache.flow(client, server) === flow && cache.flow(server, client) === flow)
        #expect(cache.flow(client, Endpoint(ipv4: 0x0A00_0001, port: 1936)) == nil)
        cache.remove(flow)
        #expect(cache.flow(client, server) == nil)
    }
}
