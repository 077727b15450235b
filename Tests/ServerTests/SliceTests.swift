import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// Messages that one connection sends at once are worked on in slices, and none of them is lost.
@Suite(.timeLimit(.minutes(1))) struct SliceTests {
    /// The parts of aggregate messages are messages: thousands of them take turns too.
    @Test(arguments: [false, true]) func aLongBatchOfFramesArrivesWhole(
        isAggregated: Bool
    ) async throws {
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
            var batch = (1..<count).map { frames.video($0) }
            if isAggregated {
                let starts = stride(from: 0, to: batch.count - 1, by: 4000)
                let aggregates = starts.map { start in
                    let parts = Array(batch[start..<min(start + 4000, batch.count - 1)])
                    return Message(aggregate: parts, timestamp: parts[0].timestamp)
                }
                // Messages behind an aggregate message wait for its parts.
                batch = aggregates + batch.suffix(1)
            }
            let messages = batch
            async let sent: Void = publisher.send(messages)
            let media = try await player.media(upToVideo: count - 1)
            try await sent
            #expect(media.compactMap(\.videoNumber) == Array(1..<count))
        }
    }

    /// A publisher that sends everything and leaves is not cut short.
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

    /// Commands are answered in order, and the last of them ends the connection's work as it does
    /// alone.
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
