import NIOCore
import RTMP
import Testing

@testable import Server

/// What one connection sends at once is worked on in slices, and nothing of it is lost.
@Suite(.timeLimit(.minutes(1))) struct SliceTests {
    @Test func aLongBatchOfFramesArrivesWhole() async throws {
        try await withServer {
            $0.gopCache = 8
            $0.queueByteLimit = 16 << 20
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let frames = TestFrames(gop: 100, size: 40)
            let player = try await RTMPPeer(server)
            try await publisher.send(frames.headers + [frames.video(0)])
            try await player.play("a")
            _ = try await player.media(upToVideo: 0)
            let count = 20_000
            async let sent: Void = publisher.send((1..<count).map { frames.video($0) })
            let media = try await player.media(upToVideo: count - 1)
            try await sent
            #expect(media.compactMap(\.videoNumber) == Array(1..<count))
        }
    }

    /// The parts of aggregate messages are messages: thousands of them take turns, too.
    @Test func aggregatesArriveWhole() async throws {
        try await withServer {
            $0.gopCache = 8
            $0.queueByteLimit = 16 << 20
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let frames = TestFrames(gop: 100, size: 40)
            let player = try await RTMPPeer(server)
            try await publisher.send(frames.headers + [frames.video(0)])
            try await player.play("a")
            _ = try await player.media(upToVideo: 0)
            let batches = (0..<5).map { batch in
                let parts = (1...4000).map { frames.video(batch * 4000 + $0) }
                return Message(aggregate: parts, timestamp: parts[0].timestamp)
            }
            // What comes behind an aggregate message waits for its parts.
            async let sent: Void = publisher.send(batches + [frames.video(20_001)])
            let media = try await player.media(upToVideo: 20_001)
            try await sent
            #expect(media.compactMap(\.videoNumber) == Array(1...20_001))
        }
    }

    /// A publisher that sends all it has and goes is not cut short.
    @Test func whatCameBeforeTheEndIsWorkedOn() async throws {
        try await withServer {
            $0.gopCache = 8
            $0.publisherGraceMilliseconds = 60_000
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let frames = TestFrames(gop: 100, size: 40)
            try await publisher.send(frames.headers + (0..<20_000).map { frames.video($0) })
            publisher.socket.close()
            try await eventually("all frames are there") {
                try await server.stream()?.videoFrames == 20_000
            }
            try await eventually("the connection is gone") { server.admissions.connections == 0 }
            #expect(server.admissions.unfinishedBytes == 0)
        }
    }

    /// Commands are answered in order, and the last of them ends the connection's work as alone.
    @Test func aLongBatchOfCommandsIsAnsweredWhole() async throws {
        try await withServer { server in
            let peer = try await RTMPPeer(server)
            try await peer.open()
            var bytes = ByteBuffer()
            let count = 2000
            for number in 0..<count {
                let command = Command(
                    "createStream", transactionID: Double(100 + number), [.null])
                try peer.writer.write(command.message(), into: &bytes)
            }
            try await peer.socket.send(bytes)
            var answered = 0
            while answered < count, let message = try await peer.next() {
                guard message.type == .commandAMF0 else { continue }
                let command = try Command(message)
                #expect(command.transactionID == Double(100 + answered))
                answered += 1
            }
        }
    }
}
