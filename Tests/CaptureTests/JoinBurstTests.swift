import NIOCore
import RTMP
import Statistics
import Testing

@testable import Capture

/// A message that waited for a player's join is in no relay delay.
struct JoinBurstTests {
    /// Counts the messages of a publisher and of a server without a cache that is ready `ready` ms
    /// after the request. Messages that came in before then go out at that time; later messages go
    /// out `delay` ms after they came in.
    private func counts(
        ready: Int64, delay: Int64, isHTTP: Bool = false, interval: Int64 = 20
    ) throws -> (MatchCounts, Double, Int64) {
        var script = PacketScript()
        var publisher = PacketScript.Connection(clientPort: 40001)
        script.openRTMP(&publisher, publishes: true, name: "show")
        let messages = (0..<60).map {
            PacketScript.media(isVideo: true, time: UInt32($0) * 20, content: UInt32($0))
        }
        // One message is there already.
        script.send(messages[0], &publisher, up: true)
        var player = PacketScript.Connection(
            clientPort: 40002, serverPort: isHTTP ? 8080 : 1935)
        if isHTTP {
            script.handshake(&player)
            script.send(
                Array("GET /live/show.flv HTTP/1.1\r\nHost: x\r\n\r\n".utf8), &player, up: true)
        } else {
            script.openRTMP(&player, publishes: false, name: "show")
        }
        let asked = script.now
        var events: [(time: Int64, index: Int, isIngress: Bool)] = []
        for index in 1..<60 {
            let time = asked + Int64(index) * interval * 1_000_000
            events.append((time, index, true))
            let sent = max(time + delay * 1_000_000, asked + ready * 1_000_000 + Int64(index))
            events.append((sent, index, false))
        }
        if isHTTP {
            let header: [UInt8] = [0x46, 0x4C, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]
            script.send(
                Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + header, &player, up: false)
        }
        for event in events.sorted(by: { ($0.time, $0.index) < ($1.time, $1.index) }) {
            script.now = event.time
            if event.isIngress {
                script.send(messages[event.index], &publisher, up: true)
            } else if isHTTP {
                let payload = Array(messages[event.index].payload.readableBytesView)
                let size = payload.count
                script.send(
                    [9, 0, UInt8(size >> 8), UInt8(size & 255), 0, 0, 0, 0, 0, 0, 0] + payload
                        + [0, 0, UInt8((size + 11) >> 8), UInt8((size + 11) & 255)], &player,
                    up: false)
            } else {
                script.send(messages[event.index], &player, up: false)
            }
        }
        let stream = try #require(script.analyzed().streams.first)
        let viewer = try #require(stream.viewers.first)
        let mean = try #require(stream.relayDelay).maximumMilliseconds ?? -1
        return (viewer.messages, mean, viewer.delayMaximumNanoseconds ?? -1)
    }

    @Test("a server that is ready late", arguments: [false, true])
    func late(isHTTP: Bool) throws {
        let (counts, maximum, own) = try counts(ready: 70, delay: 1, isHTTP: isHTTP)
        // The messages at 20, 40 and 60 ms are burst.
        #expect(counts.burst == 3 && counts.matched == 56)
        #expect(counts.unmatched == 0 && counts.missing == 0)
        #expect(maximum < 2 && own < 2_000_000)
    }

    @Test("one message that waited for the answer's acknowledgement")
    func one() throws {
        let (counts, maximum, _) = try counts(ready: 52, delay: 1, interval: 30)
        #expect(counts.burst == 1 && counts.matched == 58)
        #expect(maximum < 2)
    }

    @Test("a slow relay's delays count from the first message on", arguments: [1, 15, 45])
    func slow(delay: Int64) throws {
        let (counts, maximum, own) = try counts(ready: 0, delay: delay)
        #expect(counts.burst == 0 && counts.matched == 59)
        #expect(abs(maximum - Double(delay)) < 1)
        #expect(own == delay * 1_000_000)
    }

    @Test("a player that gets nothing later has its messages counted as they are")
    func short() {
        var join = JoinBurst()
        #expect(join.receive(ingress: 1, egress: 5).isHeld)
        #expect(join.receive(ingress: 2, egress: 6).isHeld)
        #expect(join.held.map(\.egress) == [5, 6] && !join.isOver)
        for i in 0..<5_000 { _ = join.receive(ingress: 3, egress: Int64(i) + 7) }
        #expect(join.isOver && join.held.isEmpty)
    }
}
