import Testing

@testable import Capture

/// Numbers in a capture's file or packets are accepted only within limits, and never trap.
struct HostileNumberTests {
    /// Makes a connection with an MSS of one byte and packets that claim the longest lengths there
    /// are.
    private func hostile(_ payload: [UInt8], port: UInt16) -> CaptureReport {
        var script = PacketScript()
        var connection = PacketScript.Connection(clientPort: 40002, serverPort: port)
        script.handshake(&connection, maximumSegmentSize: 13)
        script.send(
            Array("GET /a.m3u8 HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n".utf8), &connection, up: true
        )
        for _ in 0..<200 {
            var bytes = PacketScript.tcp(connection, up: false, flags: 0x18, payload: payload)
            // A total length of 0 means that the packet is as long as the capture says.
            bytes.replaceSubrange(16..<18, with: [0, 0])
            script.add(bytes)
            script.packets[script.packets.count - 1].originalLength = .max
            connection.serverSequence &+= UInt32(payload.count)
        }
        return script.analyzed()
    }

    @Test("lengths, segment sizes and counts at their ends")
    func lengths() {
        let answer = Array(
            "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nabcd".utf8)
        let chunked = Array(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000\r\nx".utf8)
        for payload in [answer, chunked, answer + answer, [3] + answer] {
            for port in [8080, 1935] as [UInt16] {
                let report = hostile(payload, port: port)
                #expect(report.capture.packets == 204)
                #expect(report.capture.bytes > 0)
                #expect(report.capture.ports.allSatisfy { $0.downstream.linkBytes >= 0 })
            }
        }
    }

    @Test("a packet's share of its headers is exact, whatever its size")
    func sums() {
        var counters = TrafficCounters()
        counters.linkBytes = .max - 1
        var other = TrafficCounters()
        other.linkBytes = 5
        counters.add(other)
        #expect(counters.linkBytes == .max)
        var number = Int.min + 1
        number.add(clamping: -5)
        #expect(number == .min)
    }

    @Test("times of every size", arguments: [Int64.min, -1, 0, 1, .max])
    func times(time: Int64) {
        var script = LayerTests.script
        for index in script.packets.indices {
            script.packets[index].time = index % 2 == 0 ? time : time &+ Int64(index)
        }
        let report = script.analyzed()
        #expect(report.capture.understoodPackets == script.packets.count)
    }

    @Test("slices outside of a buffer are empty")
    func slices() {
        [1, 2, 3].withUnsafeBytes { bytes in
            #expect(bytes.from(-5).count == bytes.count)
            #expect(bytes.from(1_000).isEmpty)
            #expect(bytes.upTo(-1).isEmpty)
            #expect(bytes.read(UInt16.self, at: -1) == nil)
            #expect(bytes.read(UInt16.self, at: bytes.count - 1) == nil)
            #expect(bytes.read(UInt64.self, at: .max) == nil)
        }
    }
}
