import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// Players read more slowly than frames come.
@Suite(.timeLimit(.minutes(2))) struct SlowReaderTests {
    /// Largest number of bytes that a player which has stopped reading gets in the end: bytes that
    /// the kernel buffers and the server queues. It is far less than the bytes published.
    private static let bufferedLimit = 16 << 20

    private func publish(_ server: RelayServer, _ frames: TestFrames) async throws -> RTMPPeer {
        let publisher = try await RTMPPeer(server)
        publisher.writer.chunkSize = 65536
        var bytes = ByteBuffer()
        ChunkWriter().write(.setChunkSize(65536), into: &bytes)
        try await publisher.socket.send(bytes)
        try await publisher.publish("a")
        try await publisher.send(frames.headers)
        return publisher
    }

    private func feed(
        _ server: RelayServer, _ publisher: RTMPPeer, _ frames: TestFrames, _ numbers: Range<Int>
    ) async throws {
        for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 20) {
            let end = min(first + 20, numbers.upperBound)
            try await publisher.send(frames, first..<end)
            try await eventually("the frames are in") {
                try await server.stream()?.videoFrames == end
            }
        }
    }

    /// Expects whole gaps: the first frame after one is a key frame, and no frame comes twice.
    private func expectDecodable(_ numbers: [Int], _ frames: TestFrames) {
        #expect(numbers == Array(Set(numbers)).sorted())
        for (a, b) in zip(numbers, numbers.dropFirst()) where b != a + 1 {
            #expect(b % frames.gop == 0, "after \(a) comes \(b), which is no key frame")
        }
    }

    /// The fast player beside the slow one gets every frame.
    @Test(arguments: [1, 2]) func rtmp(threads: Int) async throws {
        let frames = TestFrames(size: 40_000)
        try await withServer {
            $0.queueByteLimit = 256 << 10
            $0.threads = threads
        } _: { server in
            let publisher = try await publish(server, frames)
            let slow = try await RTMPPeer(server, receiveBuffer: 16384)
            try await slow.play("a")
            let quick = try await RTMPPeer(server)
            try await quick.play("a")
            var quickNumbers: [Int] = []
            for first in stride(from: 0, to: 1000, by: 20) {
                try await publisher.send(frames, first..<first + 20)
                quickNumbers += try await quick.media(upToVideo: first + 19)
                    .compactMap(\.videoNumber)
            }
            #expect(quickNumbers == Array(0..<1000))
            let dropped = try #require(try await server.stream()).droppedFrames
            #expect(dropped > 400, "\(dropped) frames dropped")
            // The player now reads the queued frames, and then the stream continues at a key frame.
            var numbers: [Int] = []
            var bytes = 0
            var next = 1000
            while numbers.last.map({ $0 < 1000 }) ?? true {
                while let bytesLeft = try await readAvailable(slow, &numbers, &bytes), bytesLeft {}
                try await publisher.send(frames, next..<next + 20)
                next += 20
                try #require(next < 5000, "the slow player never goes on")
                try await eventually("the frames are in") {
                    try await server.stream()?.videoFrames == next
                }
            }
            #expect(bytes < Self.bufferedLimit, "\(bytes) bytes were buffered")
            expectDecodable(numbers, frames)
            #expect(numbers.contains { $0 < 1000 })
        }
    }

    /// Reads the frames that are there. Returns false if there are none, nil if the server has
    /// closed.
    private func readAvailable(
        _ peer: RTMPPeer, _ numbers: inout [Int], _ bytes: inout Int
    ) async throws -> Bool? {
        let found = try peer.available()
        guard let found else { return nil }
        bytes += found.reduce(0) { $0 + $1.payload.readableBytes }
        numbers += found.compactMap(\.videoNumber)
        return !found.isEmpty
    }

    @Test func httpFLV() async throws {
        let frames = TestFrames(size: 40_000)
        try await withServer {
            $0.queueByteLimit = 256 << 10
        } _: { server in
            let publisher = try await publish(server, frames)
            let slow = try await HTTPPeer(server, "/live/a.flv", receiveBuffer: 16384)
            try await feed(server, publisher, frames, 0..<1000)
            #expect(try #require(try await server.stream()).droppedFrames > 400)
            var numbers: [Int] = []
            var next = 1000
            while numbers.last.map({ $0 < 1000 }) ?? true {
                try await feed(server, publisher, frames, next..<next + 20)
                next += 20
                try #require(next < 5000, "the slow player never goes on")
                for message in try slow.available() { numbers += [message.videoNumber ?? -1] }
                numbers.removeAll { $0 < 0 }
            }
            #expect(numbers.count * frames.size < Self.bufferedLimit)
            expectDecodable(numbers, frames)
        }
    }

    /// Before a queue is full, only frames that no other frame needs are dropped.
    @Test func disposableFramesGoFirst() async throws {
        let frames = TestFrames(gop: 1000, size: 20_000, hasDisposables: true)
        try await withServer {
            $0.queueByteLimit = 4 << 20
        } _: { server in
            let publisher = try await publish(server, frames)
            let slow = try await RTMPPeer(server, receiveBuffer: 16384)
            try await slow.play("a")
            var next = 0
            while try #require(try await server.stream()).droppedFrames < 10 {
                try await publisher.send(frames, next..<next + 1)
                next += 1
                try await eventually("the frame is in") {
                    try await server.stream()?.videoFrames == next
                }
                try #require(next < 900, "nothing was dropped")
            }
            let numbers = try await slow.media(upToVideo: next - 2).compactMap(\.videoNumber)
            let missing = Set(0...next - 2).subtracting(numbers)
            #expect(missing.count >= 9)
            #expect(missing.allSatisfy(frames.isDisposable))
        }
    }

    @Test func stalledPlayersAreCut() async throws {
        let frames = TestFrames(size: 40_000)
        try await withServer {
            $0.queueByteLimit = 128 << 10
            $0.stalledSubscriberMilliseconds = 200
        } _: { server in
            let publisher = try await publish(server, frames)
            let slow = try await RTMPPeer(server, receiveBuffer: 16384)
            try await slow.play("a")
            let viewer = try await HTTPPeer(server, "/live/a.flv", receiveBuffer: 16384)
            try await feed(server, publisher, frames, 0..<500)
            try await eventually("both are cut") {
                let stream = try await server.stream()
                return stream?.rtmpSubscribers == 0 && stream?.flvSubscribers == 0
            }
            #expect(try await #require(server.stream()).isPublished)
            try await slow.socket.waitForClose()
            try await viewer.socket.waitForClose()
        }
    }
}
