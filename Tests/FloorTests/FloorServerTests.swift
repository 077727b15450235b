import Glibc
import Media
import NIOCore
import Publisher
import RTMP
import SimulationKernel
import Sockets
import Statistics
import TestSupport
import Testing
import Viewer

@testable import Floor

/// The floor sender with our own publisher, probes and load viewers, all in this process.
@Suite(.timeLimit(.minutes(2))) struct FloorServerTests {
    static let source = SyntheticSpec(
        width: 160, height: 90, framesPerSecond: 25, gopFrames: 10,
        totalBitrate: Bitrate(kilobitsPerSecond: 400), audioBitrate: Bitrate(kilobitsPerSecond: 64))

    /// Runs a floor sender with the stream `a` for the time of `body`.
    private func withFloor(
        _ change: (inout FloorConfiguration) -> Void = { _ in },
        _ body: (FloorServer) async throws -> Void
    ) async throws {
        var configuration = FloorConfiguration(streams: [
            FloorStream(name: "a", streamID: 5, source: Self.source)
        ])
        change(&configuration)
        let server = try FloorServer(configuration)
        do {
            try await body(server)
        } catch {
            _ = await server.stop()
            throw error
        }
        _ = await server.stop()
        #expect(LocalSockets.held(port: server.port) == 0)
    }

    private func specs(_ server: FloorServer, _ count: Int) -> [ViewerSpec] {
        (0..<count).map {
            ViewerSpec(
                index: $0, transport: .rtmp, url: "rtmp://127.0.0.1:\(server.port)/live/a",
                stream: "a", rendition: "x", joinNanoseconds: Int64($0 % 10) * 10_000_000)
        }
    }

    /// A probe counts the floor's frames against what the publisher sent, and none is missing: the
    /// numbers and times of both follow from the shared start time.
    @Test(arguments: [0, 200])
    func probesGetThePublishersFrames(flush: Int) async throws {
        try await withFloor({
            $0.flushIntervalMilliseconds = flush
            $0.streams[0].phaseNanoseconds = 7_000_000
        }) { server in
            let publishers = try await PublisherPool(
                [
                    PublishSpec(
                        url: "rtmp://127.0.0.1:\(server.port)/live/a", streamID: 5,
                        source: .synthetic(Self.source), phaseNanoseconds: 7_000_000)
                ], options: .init())
            do {
                try await publishers.connect()
                try await compare(server, publishers)
            } catch {
                try? await publishers.stop()
                throw error
            }
            try await publishers.stop()
            try await eventually("the publisher is gone") { server.status.publishers == 0 }
        }
    }

    private func compare(_ server: FloorServer, _ publishers: PublisherPool) async throws {
        let start = Clock.monotonicNanoseconds() + 100_000_000
        let window = Window(
            startNanoseconds: start + 1_000_000_000, endNanoseconds: start + 3_000_000_000)
        let probes = try ProbePool(specs(server, 3), congestionControl: nil)
        publishers.setWindow(window)
        server.begin(atNanoseconds: start)
        publishers.start(atNanoseconds: start)
        probes.start(atNanoseconds: start, window: window)
        var received = 0
        try await eventually("the probes have received the window") {
            let interval = try await probes.interval()
            received += interval.delay.values.reduce(0) { $0 + $1.count }
            return received >= 150
        }
        try await eventually("the publisher has sent the window") {
            try await publishers.report().streams.first?.windowFrames == 50
        }
        let sent = try #require(try await publishers.report().streams.first)
        #expect(server.status.publishers == 1)
        #expect(server.status.receivedBytes >= sent.windowPayloadBytes)
        let report = try await probes.stop()
        #expect(report.viewers.count == 3)
        for viewer in report.viewers {
            #expect(viewer.failure == nil)
            #expect(viewer.streamID == 5)
            #expect(viewer.windowFrames == sent.windowFrames)
            #expect(viewer.firstWindowFrame == sent.windowFirstFrame)
            #expect(viewer.lastWindowFrame == sent.windowLastFrame)
            #expect(viewer.missingFrames == 0)
            #expect(viewer.duplicateFrames == 0)
            #expect(viewer.delay.negativeCount == 0)
            #expect(
                viewer.frames.first?.intendedNanoseconds == sent.windowFirstIntendedNanoseconds)
        }
        try await eventually("the players are gone") { server.status.players == 0 }
        #expect(server.status.framesDropped == 0)
    }

    /// A merged flush is one send for all frames of its interval: ten frames of about 2,000 bytes
    /// instead of one.
    @Test func flushesMerge() async throws {
        var bytesOfSends: [Int] = []
        for flush in [0, 400] {
            try await withFloor({ $0.flushIntervalMilliseconds = flush }) { server in
                let client = try FloorClient(port: server.port, stream: "a")
                try await eventually("the player plays") {
                    _ = try client.pump()
                    return server.status.players == 1
                }
                server.begin(atNanoseconds: Clock.monotonicNanoseconds())
                var frames = 0
                try await eventually("40 frames") {
                    frames += try client.pump().count { $0.type == .video }
                    return frames > 40
                }
                try await eventually("the counts") { server.status.sends > 3 }
                let status = server.status
                bytesOfSends.append(status.sentBytes / max(1, status.sends))
            }
        }
        try #require(bytesOfSends.count == 2)
        #expect(bytesOfSends[0] < 8000)
        #expect(bytesOfSends[1] > 10_000)
    }

    @Test func manyPlayers() async throws {
        try await withFloor { server in
            let start = Clock.monotonicNanoseconds() + 50_000_000
            let pool = try LoadViewerPool(specs(server, 200), options: .init())
            server.begin(atNanoseconds: start)
            pool.start(atNanoseconds: start, window: nil)
            try await eventually("all play") { server.status.players == 200 }
            let before = server.status.sends
            try await eventually("20 frames for each") { server.status.sends >= before + 4000 }
            let report = await pool.stop()
            #expect(report.failed == 0)
            #expect(report.viewers.allSatisfy { $0.failure == nil })
            #expect(report.viewers.allSatisfy { $0.total.payloadBytes > 0 })
            try await eventually("all are gone") { server.status.connections == 0 }
            #expect(server.status.refusals == 0)
        }
    }

    /// What a player that does not read misses begins and ends at a frame's border, and what follows
    /// is a key frame. The start lies in the past, so that the sender hands out the frames of many
    /// seconds at once.
    @Test func slowPlayersGetAValidStream() async throws {
        try await withFloor({
            $0.queueByteLimit = 512 << 10
            $0.streams[0].source.totalBitrate = Bitrate(kilobitsPerSecond: 8000)
        }) { server in
            let client = try FloorClient(port: server.port, stream: "a", receiveBuffer: 16_384)
            try await eventually("the player plays") {
                _ = try client.pump()
                return server.status.players == 1
            }
            server.begin(atNanoseconds: Clock.monotonicNanoseconds() - 30_000_000_000)
            try await eventually("frames are dropped") { server.status.framesDropped > 20 }
            var last: UInt64?
            var gaps = 0
            var framesAfterGap = 0
            try await eventually("frames after a gap") {
                for message in try client.pump() where message.type == .video {
                    guard
                        let stamp = FrameStamp.find(
                            inVideoPayload: message.payload, nalUnitLengthSize: 4)
                    else { continue }
                    let isKeyFrame = VideoTagHeader.parse(message.payload)?.isKeyFrame ?? false
                    #expect(stamp.streamID == 5)
                    if last.map({ $0 + 1 }) != stamp.frameNumber {
                        #expect(isKeyFrame)
                        if let last {
                            #expect(stamp.frameNumber > last)
                            gaps += 1
                        }
                    }
                    last = stamp.frameNumber
                    if gaps > 0 { framesAfterGap += 1 }
                }
                try #require(!client.isClosed)
                return framesAfterGap > 20
            }
            #expect(server.status.refusals == 0)
        }
    }

    /// Each broken peer is closed and counted; the player beside it plays on.
    @Test func brokenPeersAreClosed() async throws {
        try await withFloor { server in
            let player = try FloorClient(port: server.port, stream: "a")
            try await eventually("the player plays") {
                _ = try player.pump()
                return server.status.players == 1
            }
            server.begin(atNanoseconds: Clock.monotonicNanoseconds())
            let handshake: [UInt8] = [3] + [UInt8](repeating: 0, count: 2 * 1536)
            let http = Array("GET / HTTP/1.0\r\n\r\n".utf8)
            // A continuation without a message; a chunk that claims 16 MB of a command.
            let continuation: [UInt8] = [0xC5, 1, 2, 3]
            let length: [UInt8] = [0x03, 0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0]
            let peers: [[UInt8]] = [http, handshake + continuation, handshake + length]
            for (number, bytes) in peers.enumerated() {
                let descriptor = try FloorClient.connect(port: server.port)
                defer { close(descriptor) }
                #expect(FloorClient.send(bytes, to: descriptor) == bytes.count)
                try await eventually("peer \(number) is closed") {
                    var received = [UInt8](repeating: 0, count: 8192)
                    let count = recv(descriptor, &received, received.count, 0)
                    return count == 0 || count < 0 && errno != EAGAIN
                }
                try await eventually("peer \(number) is counted") {
                    server.status.refusals == number + 1
                }
                #expect(server.status.lastRefusal?.isEmpty == false)
            }
            var frames = 0
            try await eventually("the player plays on") {
                frames += try player.pump().count { $0.type == .video }
                return frames > 10
            }
            #expect(server.status.connections == 1)
        }
    }

    @Test func connectionsAreLimited() async throws {
        try await withFloor({ $0.connectionLimit = 2 }) { server in
            let all = try (0..<3).map { _ in try FloorClient.connect(port: server.port) }
            defer { for descriptor in all { close(descriptor) } }
            try await eventually("one is refused") { server.status.refusals == 1 }
            #expect(server.status.connections == 2)
            #expect(server.status.lastRefusal == "more than 2 connections")
        }
    }

    @Test func withoutStreamsNobodyPlays() async throws {
        try await withFloor({ $0.streams = [] }) { server in
            let client = try FloorClient(port: server.port, stream: "a")
            try await eventually("the player is refused") {
                _ = try client.pump()
                return client.refusal != nil || client.isClosed
            }
            try await eventually("the refusal is counted") { server.status.refusals == 1 }
            #expect(server.status.players == 0)
        }
    }

    @Test func unknownNamesGetTheFirstStream() async throws {
        try await withFloor { server in
            let client = try FloorClient(port: server.port, stream: "other")
            server.begin(atNanoseconds: Clock.monotonicNanoseconds())
            var stamp: FrameStamp?
            try await eventually("a stamped frame") {
                for message in try client.pump() where message.type == .video {
                    stamp =
                        stamp
                        ?? FrameStamp.find(inVideoPayload: message.payload, nalUnitLengthSize: 4)
                }
                return stamp != nil
            }
            #expect(stamp?.streamID == 5)
            #expect(stamp.map { $0.frameNumber % 10 } == 0)
        }
    }

    @Test func wrongAddressesAreErrors() {
        var configuration = FloorConfiguration(streams: [])
        configuration.host = "nowhere"
        #expect(throws: FloorError.self) { try FloorServer(configuration) }
        configuration.host = "127.0.0.1"
        configuration.port = 70_000
        #expect(throws: FloorError.self) { try FloorServer(configuration) }
        configuration.port = 0
        configuration.congestionControl = "no-such"
        #expect(throws: FloorError.self) { try FloorServer(configuration) }
    }
}
