import Foundation
import NIOCore
import RTMP
import SimulationKernel
import Sockets
import Statistics
import TestServer
import TestSupport
import Testing

@testable import Server

/// The threads that write, and the memory of what is sent, change nothing that a receiver gets.
@Suite(.timeLimit(.minutes(2))) struct SenderModelTests {
    /// A model of threads with a model of memory.
    struct Model: Sendable, CustomTestStringConvertible {
        var senders: SenderModel?
        var buffers = BufferModel.shared

        var testDescription: String { "\(senders?.rawValue ?? "loops"), \(buffers.rawValue)" }

        func configure(_ configuration: inout ServerConfiguration) {
            configuration.senders = senders
            configuration.buffers = buffers
        }
    }

    private static let threaded = SenderModel.allCases.map { Model(senders: $0) }
    private static let others =
        threaded + [Model(buffers: .copy)]
        + SenderModel.allCases.map { Model(senders: $0, buffers: .copy) }

    private struct Media: Equatable {
        var type: MessageType
        var timestamp: UInt32
        var payload: ByteBuffer

        init(_ message: Message) {
            type = message.type
            timestamp = message.timestamp
            payload = message.payload
        }
    }

    private struct Reception: Equatable {
        var player: [Media] = []
        var viewer: [Media] = []
        var target: [Media] = []
    }

    private let frames = TestFrames()

    /// Publishes a stream to an RTMP player, an HTTP-FLV player and a push target, and returns what
    /// they got.
    private func reception(
        isolation: isolated (any Actor)? = #isolation, _ model: Model
    ) async throws -> Reception {
        var result = Reception()
        try await withServer { target in
            let rule = try PushRule(
                "live/*=rtmp://127.0.0.1:\(target.rtmpPort)/copy/{stream}")
            try await withServer {
                $0.pushes = [rule]
                model.configure(&$0)
            } _: { source in
                let publisher = try await RTMPPeer(source)
                try await publisher.publish("a")
                try await publisher.send(frames.headers)
                try await eventually("the target takes the stream") {
                    try await source.status().pushes.first?.state == .live
                }
                let player = try await RTMPPeer(source)
                try await player.play("a")
                let viewer = try await HTTPPeer(source, "/live/a.flv")
                let far = try await RTMPPeer(target)
                try await far.open("copy")
                try await far.play("a")
                // All have joined before a second group of pictures comes.
                for numbers in [0..<5, 5..<60] {
                    try await publisher.send(frames, numbers)
                    let last = numbers.upperBound - 1
                    result.player += try await player.media(upToVideo: last).map(Media.init)
                    result.viewer += try await viewer.tags(upToVideo: last).map(Media.init)
                    result.target += try await far.media(upToVideo: last).map(Media.init)
                }
                if let senders = model.senders {
                    // An RTMP player, an HTTP-FLV player and a target.
                    let threads = try await source.status().senderThreads
                    #expect(threads == (senders == .perSession ? 3 : 1))
                }
                // What is sent before the end arrives, and then the connections are closed.
                try await publisher.send(frames, 60..<65)
                try await publisher.unpublish("a")
                _ = try await player.media(upToVideo: 64)
                _ = try await viewer.tags(upToVideo: 64)
                try await player.socket.waitForClose()
                try await viewer.socket.waitForClose()
                try await eventually("the threads have ended") {
                    try await source.status().senderThreads ?? 0 == 0
                }
            }
        }
        return result
    }

    @Test(arguments: others) func `receivers get what they get from loops`(model: Model)
        async throws
    {
        let expected = try await reception(Model())
        #expect(expected.player.count == 3 + 119 && expected.target.count == 3 + 119)
        #expect(try await reception(model) == expected)
    }

    /// A player that joins in the middle gets headers and the group of pictures from a thread.
    @Test(arguments: others) func `a player that joins gets the cache`(model: Model) async throws {
        try await withServer(model.configure) { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<15)
            try await eventually("the frames are in") {
                try await server.stream()?.videoFrames == 15
            }
            let player = try await RTMPPeer(server)
            try await player.play("a")
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            try await eventually("both play") {
                let stream = try await server.stream()
                return stream?.rtmpSubscribers == 1 && stream?.flvSubscribers == 1
            }
            try await publisher.send(frames, 15..<25)
            let media = try await player.media(upToVideo: 24)
            #expect(media.prefix(3).map(\.type) == [.dataAMF0, .video, .audio])
            #expect(media.compactMap(\.videoNumber) == Array(10..<25))
            let tags = try await viewer.tags(upToVideo: 24)
            #expect(tags.compactMap(\.videoNumber) == Array(10..<25))
        }
    }

    // MARK: Slow players

    /// The quick player gets every frame; the slow one loses whole groups of pictures.
    @Test(arguments: threaded) func `a stalled player stops nobody`(model: Model) async throws {
        let frames = TestFrames(size: 40_000)
        try await withServer {
            model.configure(&$0)
            $0.queueByteLimit = 1 << 20
        } _: { server in
            let publisher = try await RTMPPeer(server)
            publisher.writer.chunkSize = 65536
            var bytes = ByteBuffer()
            ChunkWriter().write(.setChunkSize(65536), into: &bytes)
            try await publisher.socket.send(bytes)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            let slow = try await RTMPPeer(server, receiveBuffer: 16384)
            try await slow.play("a")
            let quick = try await RTMPPeer(server)
            try await quick.play("a")
            var quickNumbers: [Int] = []
            for first in stride(from: 0, to: 600, by: 5) {
                try await publisher.send(frames, first..<first + 5)
                quickNumbers += try await quick.media(upToVideo: first + 4)
                    .compactMap(\.videoNumber)
            }
            #expect(quickNumbers == Array(0..<600))
            let dropped = try #require(try await server.stream()).droppedFrames
            #expect(dropped > 200, "\(dropped) frames dropped")
            var numbers: [Int] = []
            var next = 600
            while numbers.last.map({ $0 < 600 }) ?? true {
                numbers += try slow.available()?.compactMap(\.videoNumber) ?? []
                try await publisher.send(frames, next..<next + 5)
                _ = try await quick.media(upToVideo: next + 4)
                next += 5
                try #require(next < 5000, "the slow player never goes on")
            }
            #expect(numbers == Array(Set(numbers)).sorted())
            for (a, b) in zip(numbers, numbers.dropFirst()) where b != a + 1 {
                #expect(b % frames.gop == 0, "after \(a) comes \(b), which is no key frame")
            }
        }
    }

    // MARK: Counts

    /// Sends one message at a time, so that no batch is copied together.
    private func copies(
        isolation: isolated (any Actor)? = #isolation, _ buffers: BufferModel, players count: Int,
        _ senders: SenderModel?
    ) async throws -> (messages: Int, copies: Int) {
        var result = (messages: 0, copies: 0)
        try await withServer {
            $0.buffers = buffers
            $0.senders = senders
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            var players: [RTMPPeer] = []
            for _ in 0..<count {
                let player = try await RTMPPeer(server)
                try await player.play("a")
                players.append(player)
            }
            try await publisher.send(frames.video(0))
            for player in players { _ = try await player.media(upToVideo: 0) }
            let before = try await server.status()
            for number in 1...20 {
                try await publisher.send(frames.video(number))
                for player in players { _ = try await player.media(upToVideo: number) }
            }
            let after = try await server.status()
            result.messages = try #require(after.relayedMessages) - (before.relayedMessages ?? 0)
            result.copies = try #require(after.payloadCopies) - (before.payloadCopies ?? 0)
        }
        return result
    }

    @Test(arguments: [1, 8], [nil, SenderModel.perStream])
    func `copies are counted`(players: Int, senders: SenderModel?) async throws {
        let shared = try await copies(.shared, players: players, senders)
        #expect(shared.messages == 20 && shared.copies == 20)
        let own = try await copies(.copy, players: players, senders)
        #expect(own.messages == 20 && own.copies == 20 * (1 + players))
    }

    @Test(arguments: [Model()] + threaded) func `deliveries are measured`(model: Model)
        async throws
    {
        try await withServer(model.configure) { server in
            let now = Clock.monotonicNanoseconds()
            server.setWindow(
                .init(startNanoseconds: now, endNanoseconds: now + 3_600_000_000_000))
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            for number in 0..<100 {
                try await publisher.send(frames, number..<number + 1)
                _ = try await player.media(upToVideo: number)
            }
            try await eventually("deliveries are measured") {
                try await server.status().delays?.write.count ?? 0 >= 5
            }
            let delays = try #require(try await server.status().delays)
            #expect(delays.queueing.count == delays.write.count)
            #expect(delays.service.maximumMilliseconds > 0)
            #expect(try #require(server.windowedDelays).count == delays.write.count)
        }
    }

    // MARK: Faults

    @Test func `settings that cannot be are told`() throws {
        for senders in SenderModel.allCases {
            var configuration = ServerConfiguration()
            configuration.senders = senders
            #expect(configuration.problem == nil)
            configuration.threads = 2
            #expect(configuration.problem?.contains("one event loop") == true)
            configuration.threads = 1
            configuration.pushes = [try PushRule("rtmps://127.0.0.1/live/{stream}")]
            #expect(configuration.problem?.contains("TLS") == true)
        }
    }

    @Test func `a secure target is refused while the server runs`() async throws {
        try await withServer {
            $0.senders = .perSession
        } _: { server in
            let answer = try await HTTPPeer(
                server, "/api/v1/push?stream=live%2Fa&url=rtmps%3A%2F%2F127.0.0.1%2Fx%2Fa",
                method: "POST")
            #expect(answer.status == 409)
            #expect(try await answer.text().contains("TLS"))
        }
    }

    /// Streams that come and go with their players leave no thread and no descriptor.
    @Test(
        .enabled(if: Shell.millrace != nil, "millrace is not built"),
        arguments: SenderModel.allCases)
    func `fifty streams leave nothing behind`(senders: SenderModel) async throws {
        let victim = try await Victim(
            [
                "serve", "--rtmp-port", "0", "--http-port", "0", "--threads", senders.rawValue,
                "--publisher-grace", "0",
            ])
        let port = try victim.port("rtmp")
        func count(_ folder: String) throws -> Int {
            let path = "/proc/\(victim.process.processIdentifier)/\(folder)"
            return try FileManager.default.contentsOfDirectory(atPath: path).count
        }
        func cycle(_ number: Int) async throws {
            let publisher = try await RTMPPeer(port: port)
            try await publisher.publish("a\(number)")
            try await publisher.send(frames.headers)
            var players: [RTMPPeer] = []
            for _ in 0..<3 {
                let player = try await RTMPPeer(port: port)
                try await player.play("a\(number)")
                players.append(player)
            }
            try await publisher.send(frames, 0..<12)
            for player in players { _ = try await player.media(upToVideo: 11) }
            if number % 2 == 0 { try await publisher.unpublish("a\(number)") }
            publisher.socket.close()
            if number % 2 == 0 { for player in players { try await player.socket.waitForClose() } }
            for player in players { player.socket.close() }
        }
        // The first cycle opens what stays open.
        try await cycle(0)
        try await eventually("the first threads have ended") {
            let names = try Self.threadNames(of: victim.process.processIdentifier)
            return !names.contains { $0.hasPrefix("sender-") }
        }
        let (threads, descriptors) = (try count("task"), try count("fd"))
        for number in 1...50 { try await cycle(number) }
        try await eventually("threads and descriptors are as before") {
            let names = try Self.threadNames(of: victim.process.processIdentifier)
            let isOver = !names.contains { $0.hasPrefix("sender-") }
            let open = try count("fd")
            return isOver && open <= descriptors
        }
        // The runtime may have started a few threads of its own pool.
        #expect(try count("task") <= threads + 8)
        try await victim.stop()
    }

    private static func threadNames(of pid: Int32) throws -> [String] {
        let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")
        return tasks.compactMap {
            try? String(contentsOfFile: "/proc/\(pid)/task/\($0)/comm", encoding: .utf8)
        }
    }
}
