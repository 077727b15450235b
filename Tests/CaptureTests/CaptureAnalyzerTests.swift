import Foundation
import Media
import NIOCore
import RTMP
import SimulationKernel
import Statistics
import Testing

@testable import Capture

struct CaptureAnalyzerTests {
    /// A publisher and a player; message i comes in, and goes out 2 ms later.
    struct Session {
        var script = PacketScript()
        var publisher = PacketScript.Connection(clientPort: 40001)
        var player = PacketScript.Connection(clientPort: 40002)

        init() {
            script.openRTMP(&publisher, publishes: true, name: "show")
            script.openRTMP(&player, publishes: false, name: "show")
        }

        /// - Parameter loses: Whether bytes of the egress segment are not captured.
        mutating func relay(
            _ index: Int, isVideo: Bool = true, egressSize: Int? = nil, loses: Bool = false
        ) {
            let message = PacketScript.media(
                isVideo: isVideo, time: UInt32(index * 40),
                content: UInt32(index * 2)
                    + (isVideo ? 1 : 0))
            script.send(message, &publisher, up: true)
            script.now += 1_900_000
            var moved = message
            moved.timestamp += 5000
            let bytes = PacketScript.chunks([moved], size: 4096)
            let size = egressSize ?? bytes.count
            for start in stride(from: 0, to: bytes.count, by: size) {
                let part = Array(bytes[start..<min(bytes.count, start + size)])
                script.send(part, &player, up: false)
                if loses, start > 0 || size >= bytes.count { script.packets.removeLast() }
            }
            // The player acknowledges.
            script.add(PacketScript.tcp(player, up: true, flags: 0x10))
            script.now += 38_000_000
        }
    }

    @Test("relay delay of a stream whose timestamps the server moves")
    func relayDelay() throws {
        var session = Session()
        for i in 0..<50 { session.relay(i, isVideo: i % 2 == 0) }
        let report = session.script.analyzed()
        #expect(report.capture.undissectedFlows == 0)
        let stream = try #require(report.streams.first)
        #expect(report.streams.count == 1)
        #expect(stream.name == "show" && stream.app == "live")
        #expect(stream.publishers == 1 && stream.subscribers == 1)
        let viewer = stream.viewers[0]
        #expect(viewer.messages.matched == 50)
        #expect(viewer.messages.unmatched == 0 && viewer.messages.missing == 0)
        #expect(stream.relayDelay?.count == 50)
        #expect(abs((stream.relayDelay?.meanMilliseconds ?? 0) - 2) < 0.001)
        #expect(stream.ingress?.payloadBytes == viewer.payloadBytes)
    }

    @Test("a window confines everything to itself")
    func window() throws {
        var session = Session()
        let from = session.script.now + 10 * 41_000_000
        for i in 0..<50 { session.relay(i) }
        var options = CaptureOptions()
        options.window = Window(startNanoseconds: from, endNanoseconds: from + 1_000_000_000)
        let stream = try #require(session.script.analyzed(options).streams.first)
        let messages = stream.viewers[0].messages.matched
        #expect((22...26).contains(messages))
        let payload = stream.viewers[0].payloadBytes
        #expect(stream.viewers[0].traffic.payloadBytes == payload + messages * 12)
        #expect(abs((stream.payloadKbps ?? 0) - Double(payload) * 8 / 1000) < 5)
    }

    @Test("what came in before the play request is join burst")
    func burst() throws {
        var script = PacketScript()
        var publisher = PacketScript.Connection(clientPort: 40001)
        var player = PacketScript.Connection(clientPort: 40002)
        script.openRTMP(&publisher, publishes: true, name: "show")
        let messages = (0..<10).map {
            PacketScript.media(isVideo: true, time: UInt32($0 * 40), content: UInt32($0))
        }
        for message in messages[..<5] { script.send(message, &publisher, up: true) }
        script.openRTMP(&player, publishes: false, name: "show")
        for message in messages[..<5] { script.send(message, &player, up: false) }
        for message in messages[5...] {
            script.send(message, &publisher, up: true)
            script.send(message, &player, up: false)
        }
        let counts = try #require(script.analyzed().streams.first).viewers[0].messages
        #expect(counts.burst == 5)
        #expect(counts.matched == 5)
    }

    @Test("after a lost segment the stream is found again", arguments: [100, 300, 612])
    func gap(size: Int) throws {
        var session = Session()
        for i in 0..<30 { session.relay(i, egressSize: size, loses: i == 10) }
        let report = session.script.analyzed()
        #expect(report.capture.gaps == 1)
        let stream = try #require(report.streams.first)
        let viewer = stream.viewers[0]
        #expect(viewer.isDissected)
        #expect((28...29).contains(viewer.messages.matched))
        #expect(viewer.messages.unmatched == 0)
        #expect((1...2).contains(viewer.messages.missing))
    }

    @Test("a super-segment counts as the segments that it becomes")
    func offloading() throws {
        for (size, timestamps, expected) in [(1460, true, 1448), (1440, false, 1440)] {
            var script = PacketScript()
            var player = PacketScript.Connection(clientPort: 40002)
            player.hasTimestamps = timestamps
            script.handshake(&player, maximumSegmentSize: UInt16(size))
            let payload = [UInt8](repeating: 1, count: expected * 10 + 1)
            script.send(payload, &player, up: false)
            let traffic = script.analyzed().capture.ports[0].downstream
            #expect(traffic.segments == 11)
            #expect(traffic.packets == 1)
            let headers = timestamps ? 66 : 54
            #expect(traffic.linkBytes == payload.count + 11 * headers)
            #expect(traffic.networkBytes == payload.count + 11 * (headers - 14))
            #expect(!traffic.mssAssumed)
        }
        // Without a SYN, the MSS is assumed as 1,460 bytes, less options.
        var script = PacketScript()
        var player = PacketScript.Connection(clientPort: 40002)
        script.send([UInt8](repeating: 1, count: 1449), &player, up: false)
        let traffic = script.analyzed().capture.ports[0].downstream
        #expect(traffic.segments == 2 && traffic.mssAssumed)
    }

    @Test("retransmitted bytes are those seen twice; bare acknowledgements are no traffic")
    func retransmission() throws {
        var session = Session()
        for i in 0..<5 { session.relay(i) }
        let last = try #require(
            session.script.packets.last { $0.originalLength > 600 })
        session.script.add(last.bytes)
        let stream = try #require(session.script.analyzed().streams.first)
        #expect(stream.retransmittedBytes == 613)
        #expect(stream.downstream.reduce(0) { $0 + $1.retransmittedBytes } == 613)
        #expect(stream.viewers[0].messages.matched == 5)
        #expect(stream.downstream.reduce(0) { $0 + $1.packets } == 6)
        #expect(stream.downstream.reduce(0) { $0 + $1.bytes } == 6 * (613 + 66))
    }

    @Test("stamped frames of the chosen client port come one by one")
    func frames() throws {
        var session = Session()
        for i in 0..<4 {
            let stamp = FrameStamp(
                streamID: 7, frameNumber: UInt64(i), intendedNanoseconds: 5)
            var message = PacketScript.media(isVideo: true, time: 0, content: UInt32(i), length: 5)
            message.payload.writeBytes([0, 0, 0, 4, 0x41, 1, 2, 3])
            message.payload = stamp.inserted(into: message.payload, nalUnitLengthSize: 4)
            session.script.send(message, &session.publisher, up: true)
            session.script.send(message, &session.player, up: false)
        }
        var options = CaptureOptions()
        options.frameClientPorts = [40002]
        let frames = try #require(session.script.analyzed(options).streams.first).frames
        #expect(frames.map(\.frameNumber) == [0, 1, 2, 3])
        #expect(frames.allSatisfy { $0.streamID == 7 && $0.relayDelayNanoseconds == 100_000 })
        #expect(session.script.analyzed().streams[0].frames.isEmpty)
        // Incoming frames are kept if that is requested, up to a limit.
        options = CaptureOptions()
        #expect(session.script.analyzed(options).streams[0].ingressFrames.isEmpty)
        options.ingressFrameLimit = 3
        let incoming = session.script.analyzed(options).streams[0].ingressFrames
        #expect(incoming.map(\.frameNumber) == [0, 1, 2])
        #expect(incoming.allSatisfy { $0.streamID == 7 && $0.intendedNanoseconds == 5 })
        #expect(
            zip(incoming, frames).allSatisfy {
                $1.egressNanoseconds - $0.arrivalNanoseconds == 100_000
            })
        let again = try JSONDecoder().decode(
            [IngressFrame].self, from: JSONEncoder().encode(incoming))
        #expect(again == incoming)
        // Nothing counts while the window is unknown.
        options.window = Window(startNanoseconds: 0, endNanoseconds: 0)
        let silent = session.script.analyzed(options).streams[0]
        #expect(silent.ingressFrames.isEmpty && silent.ingress?.payloadBytes == 0)
    }

    @Test("subscribers that are not chosen are counted by headers")
    func sampling() throws {
        var session = Session()
        for i in 0..<5 { session.relay(i) }
        var options = CaptureOptions()
        options.dissectedClientPorts = []
        let report = session.script.analyzed(options)
        let viewer = try #require(report.streams.first).viewers[0]
        #expect(!viewer.isDissected && viewer.payloadBytes == 0)
        #expect(viewer.traffic.payloadBytes > 5 * 613)
        #expect(report.capture.undissectedFlows == 0)
    }

    @Test("HTTP-FLV, plain and in HTTP chunks", arguments: [false, true])
    func httpFLV(isChunked: Bool) throws {
        var session = Session()
        var player = PacketScript.Connection(clientPort: 40003, serverPort: 8080)
        session.script.handshake(&player)
        session.script.send(Array("GE".utf8), &player, up: true)
        session.script.send(
            Array("T /live/show.flv?a=b HTTP/1.1\r\nHost: x\r\n\r\n".utf8), &player, up: true)
        let encoding = isChunked ? "Transfer-Encoding: chunked\r\n" : ""
        session.script.send(
            Array("HTTP/1.1 200 OK\r\n\(encoding)\r\n".utf8), &player, up: false)
        func framed(_ bytes: ByteBuffer) -> [UInt8] {
            var bytes = Array(bytes.readableBytesView)
            if isChunked {
                bytes = Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + [13, 10]
            }
            return bytes
        }
        let header = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        session.script.send(framed(header), &player, up: false)
        for i in 0..<10 {
            let message = PacketScript.media(isVideo: true, time: 0, content: UInt32(i))
            session.script.send(message, &session.publisher, up: true)
            var tag = ByteBuffer()
            FLVWriter.write(
                tag: FLVTag(type: .video, timestamp: 9, payload: message.payload), into: &tag)
            session.script.send(framed(tag), &player, up: false)
        }
        let stream = try #require(session.script.analyzed().streams.first)
        #expect(stream.subscribersByProtocol == ["rtmp": 1, "http-flv": 1])
        let viewer = try #require(stream.viewers.first { $0.transport == .httpFLV })
        #expect(viewer.messages.matched == 10)
    }

    @Test("other protocols and connections joined in the middle are counted by port")
    func undissected() {
        var script = PacketScript()
        var web = PacketScript.Connection(clientPort: 40003, serverPort: 443)
        script.handshake(&web)
        script.send([0x16, 3, 1, 2], &web, up: true)
        var middle = PacketScript.Connection(clientPort: 40004)
        script.send([UInt8](repeating: 0x44, count: 900), &middle, up: false)
        let report = script.analyzed()
        #expect(report.streams.isEmpty)
        #expect(report.capture.undissectedFlows == 2)
        #expect(report.capture.ports.map(\.port) == [443, 1935])
        #expect(report.capture.ports[1].downstream.payloadBytes == 900)
    }

    @Test("connections and streams without end are bounded, ports may be used again")
    func bounds() {
        var script = PacketScript()
        for i in 0..<300 {
            var connection = PacketScript.Connection(
                clientPort: UInt16(40_000 + i % 200), clientSequence: UInt32(i))
            script.openRTMP(&connection, publishes: false, name: "s\(i)")
        }
        var options = CaptureOptions()
        options.flowLimit = 150
        options.streamLimit = 10
        options.subscriberLimit = 5
        let report = script.analyzed(options)
        #expect(report.capture.ignoredFlows > 0)
        #expect(report.streams.count == 10)
        #expect(report.streams.reduce(0) { $0 + $1.viewers.count } == 5)
    }
}
