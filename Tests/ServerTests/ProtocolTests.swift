import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// The less usual parts of the protocol work through the whole server.
@Suite(.timeLimit(.minutes(1))) struct ProtocolTests {
    private let frames = TestFrames()

    /// Converts commands and data to types 17 and 15: a zero byte, then AMF0.
    @Test func amf3Commands() async throws {
        func amf3(_ message: Message) -> Message {
            var message = message
            message.type = message.type == .dataAMF0 ? .dataAMF3 : .commandAMF3
            message.payload = ByteBuffer(bytes: [0] + Array(message.payload.readableBytesView))
            return message
        }
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            let object = AMFValue.object([
                .init("app", .string("live")), .init("objectEncoding", .number(3)),
            ])
            try await publisher.send(
                amf3(Command("connect", transactionID: 1, [object]).message()))
            let answer = try #require(try await publisher.command("_result"))
            #expect(answer.arguments.last?["objectEncoding"]?.number == 3)
            try await publisher.send(
                amf3(Command("createStream", transactionID: 2, [.null]).message()))
            #expect(try await publisher.command("_result")?.arguments.last?.number == 1)
            let publish = Command("publish", transactionID: 3, [.null, .string("a")])
            try await publisher.send(amf3(publish.message(messageStreamID: 1)))
            #expect(try await publisher.status()?.code == "NetStream.Publish.Start")
            let player = try await RTMPPeer(server)
            try await player.play("a")
            try await publisher.send([amf3(frames.metadata())] + frames.headers.dropFirst())
            try await publisher.send(frames, 0..<3)
            let media = try await player.media(upToVideo: 2)
            let metadata = try #require(media.first { $0.type == .dataAMF0 })
            var payload = metadata.payload
            #expect(try AMF0.read(&payload).string == "onMetaData")
        }
    }

    @Test func aggregatesAreSplit() async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            // The parts' own times begin elsewhere, and are moved to the aggregate's.
            let parts = (0..<4).flatMap { [frames.video($0), frames.audio($0)] }
            try await publisher.send(Message(aggregate: parts, timestamp: 1000, shift: 90_000))
            let media = try await player.media(upToVideo: 3)
            let video = media.filter { $0.videoNumber != nil }
            #expect(video.compactMap(\.videoNumber) == [0, 1, 2, 3])
            #expect(video.map(\.timestamp) == [1000, 1040, 1080, 1120])
            #expect(video.map(\.payload) == (0..<4).map { frames.video($0).payload })
            #expect(media.compactMap(\.audioNumber) == [0, 1, 2])
        }
    }

    /// Enhanced RTMP payloads with a FourCC are relayed unchanged, and a player joins at their key
    /// frames.
    @Test(arguments: ["hvc1", "av01", "vp09"]) func enhancedVideo(fourCC: String) async throws {
        func video(key: Bool, packet: UInt8, _ number: UInt32) -> Message {
            var payload = ByteBuffer(bytes: [0x80 | (key ? 0x10 : 0x20) | packet])
            payload.writeString(fourCC)
            payload.writeInteger(number)
            return Message(
                chunkStreamID: 6, timestamp: number * 40, type: .video, messageStreamID: 1,
                payload: payload)
        }
        let header = video(key: true, packet: 0, 0)
        let coded = (0..<25).map { video(key: $0 % 10 == 0, packet: 3, UInt32($0)) }
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send([header] + coded[..<24])
            try await eventually("24 frames") { try await server.stream()?.videoFrames == 24 }
            #expect(try await server.stream()?.keyFrames == 3)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            try await publisher.send([coded[24]])
            var payloads: [ByteBuffer] = []
            while let message = try await player.media() {
                payloads.append(message.payload)
                if message.payload == coded[24].payload { break }
            }
            #expect(payloads == [header.payload] + coded[20...].map(\.payload))
        }
    }

    /// The publisher and the players are on different event loops.
    @Test func severalEventLoops() async throws {
        try await withServer {
            $0.threads = 2
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<15)
            try await eventually("15 frames") { try await server.stream()?.videoFrames == 15 }
            var players: [RTMPPeer] = []
            for _ in 0..<4 {
                let player = try await RTMPPeer(server)
                try await player.play("a")
                players.append(player)
            }
            try await eventually("4 players") { try await server.stream()?.rtmpSubscribers == 4 }
            try await publisher.send(frames, 15..<200)
            for player in players {
                let media = try await player.media(upToVideo: 199)
                #expect(media.compactMap(\.videoNumber) == Array(10..<200))
            }
            for player in players { player.socket.close() }
            try await eventually("no player") { try await server.stream()?.rtmpSubscribers == 0 }
        }
    }

    /// With a flush interval, audio leaves with video; nothing is lost or reordered.
    @Test func flushInterval() async throws {
        try await withServer {
            $0.flushIntervalMilliseconds = 20
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            for number in 0..<40 {
                try await publisher.send([frames.video(number)])
                try await publisher.send([frames.audio(number)])
            }
            var media: [Message] = []
            while let message = try await player.media() {
                media.append(message)
                if message.audioNumber == 39 { break }
            }
            #expect(media.compactMap(\.videoNumber) == Array(0..<40))
            #expect(media.compactMap(\.audioNumber) == Array(0..<40))
        }
    }

    /// The load begins above one limit and ends below a lower one; a fixed interval ignores it.
    @Test func flushPolicy() {
        var policy = FlushPolicy(milliseconds: nil)
        let steps: [(writes: Int, isChange: Bool, interval: Int64)] = [
            (FlushPolicy.loadedWrites, false, 0), (FlushPolicy.loadedWrites + 1, true, 40),
            (FlushPolicy.idleWrites + 1, false, 40), (FlushPolicy.idleWrites, true, 0),
        ]
        for step in steps {
            policy.count(writes: step.writes)
            #expect(policy.judge() == step.isChange)
            #expect(policy.interval == .milliseconds(step.interval))
        }
        for milliseconds in [0, 120] {
            var fixed = FlushPolicy(milliseconds: milliseconds)
            fixed.count(writes: 1_000_000)
            #expect(!fixed.judge() && !fixed.isLoaded)
            #expect(fixed.interval == .milliseconds(Int64(milliseconds)))
        }
    }

    @Test func timestampsBeyond24BitsAndWrap() async throws {
        try await withServer { server in
            let frames = TestFrames(gop: 100, start: .max - 300)
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            try await publisher.send(frames, 0..<20)
            let expected = (0..<20).map { frames.video($0).timestamp }
            for media in [
                try await player.media(upToVideo: 19), try await viewer.tags(upToVideo: 19),
            ] {
                #expect(media.filter { $0.videoNumber != nil }.map(\.timestamp) == expected)
            }
        }
    }
}
