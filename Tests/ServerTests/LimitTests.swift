import Logging
import NIOCore
import RTMP
import Synchronization
import TestServer
import TestSupport
import Testing

@testable import Server

/// All peers together have limits, and a refused peer learns why.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LimitTests {
    private let frames = TestFrames()

    private func expectClosed(_ socket: TCPSocket) async throws {
        try await socket.waitForClose()
    }

    @Test func connections() async throws {
        try await withServer {
            $0.limits.connections = 3
        } _: { server in
            var peers: [RTMPPeer] = []
            for _ in 0..<3 { peers.append(try await RTMPPeer(server)) }
            try await expectClosed(try TCPSocket(port: server.rtmpPort))
            try await expectClosed(try TCPSocket(port: try #require(server.httpPort)))
            peers.removeLast().socket.close()
            try await eventually("a place is free") { server.admissions.connections == 2 }
            _ = try await RTMPPeer(server)
            let status = try await server.status()
            #expect(status.refused["connections"] == 2)
            #expect(status.usage.first { $0.name == "connections" }?.limit == 3)
        }
    }

    @Test func addressesAreCountedApart() {
        var limits = ServerLimits()
        limits.connectionsPerAddress = 2
        let admissions = Admissions(limits, logger: quiet)
        var places = [admissions.admit(from: "192.0.2.1"), admissions.admit(from: "192.0.2.1")]
        #expect(places.allSatisfy { $0 != nil })
        #expect(admissions.admit(from: "192.0.2.1") == nil)
        #expect(admissions.admit(from: "192.0.2.2") != nil)
        places.removeLast()
        #expect(admissions.admit(from: "192.0.2.1") != nil)
        // All peers on the same machine have one address.
        let own = (0..<10).map { _ in admissions.admit(from: "127.0.0.1") }
        #expect(own.allSatisfy { $0 != nil })
        #expect(admissions.refused == [.connectionsPerAddress: 1])
    }

    @Test func publishersAndPlayers() async throws {
        try await withServer {
            $0.limits.publishers = 1
            $0.limits.players = 2
        } _: { server in
            let first = try await RTMPPeer(server)
            #expect(try await first.publish("a").code == "NetStream.Publish.Start")
            let second = try await RTMPPeer(server)
            #expect(try await second.publish("b").code == "NetStream.Publish.BadName")
            let players = [try await RTMPPeer(server), try await RTMPPeer(server)]
            for player in players { _ = try await player.play("a") }
            #expect(try await RTMPPeer(server).play("a").code == "NetStream.Play.Failed")
            #expect(try await HTTPPeer(server, "/live/a.flv").status == 503)
            players[0].socket.close()
            try await eventually("a player's place is free") {
                server.admissions.count(.players) == 1
            }
            #expect(try await HTTPPeer(server, "/live/a.flv").status == 200)
            let prometheus = try await HTTPPeer(server, "/metrics")
            #expect(
                prometheus.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let metrics = MetricsPage(try await prometheus.text())
            #expect(metrics.problems == [])
            let values = metrics.values
            #expect(values["millrace_refused_total{limit=\"publishers\"}"] == 1)
            #expect(values["millrace_refused_total{limit=\"players\"}"] == 2)
            #expect(values["millrace_players_limit"] == 2)
            #expect(values["millrace_publishers"] == 1)
            #expect(values["millrace_stream_published{stream=\"live/a\"}"] == 1)
            #expect(values["millrace_stream_received_bytes_total{stream=\"live/a\"}"] != nil)
            #expect(values["process_open_fds"] ?? 0 > 0)
        }
    }

    /// A peer that has not published may send only commands, which are short.
    @Test func longMessagesBeforePublishing() async throws {
        try await withServer { server in
            let peer = try await RTMPPeer(server)
            try await peer.send(ControlMessage.setChunkSize(1 << 20).message)
            let claim = [6, 0, 0, 0, 1, 0, 1, 9, 1, 0, 0, 0] as [UInt8]
            try await peer.socket.send(
                ByteBuffer(bytes: claim + [UInt8](repeating: 0, count: 1000)))
            try await expectClosed(peer.socket)
            #expect(server.admissions.unfinishedBytes == 0)
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(ControlMessage.setChunkSize(1 << 20).message)
            publisher.writer.chunkSize = 1 << 20
            var big = frames
            big.size = 4 << 20
            try await publisher.send(frames.headers + [big.video(0)])
            try await eventually("the frame is there") {
                try await server.stream()?.videoFrames == 1
            }
        }
    }

    /// Publishers together have one budget for unfinished messages.
    @Test func unfinishedMessagesOfAllTogether() async throws {
        try await withServer {
            $0.limits.unfinishedBytes = 2 << 20
        } _: { server in
            var peers: [RTMPPeer] = []
            for number in 0..<6 {
                let peer = try await RTMPPeer(server)
                try await peer.publish("p\(number)")
                try await peer.send(ControlMessage.setChunkSize(1 << 20).message)
                let claim = [6, 0, 0, 0, 0x20, 0, 0, 9, 1, 0, 0, 0] as [UInt8]
                try await peer.socket.send(
                    ByteBuffer(bytes: claim + [UInt8](repeating: 0, count: 1 << 20)))
                peers.append(peer)
            }
            try await eventually("some are cut") {
                try await server.status().refused["unfinished_bytes"] ?? 0 >= 3
            }
            try await eventually("and give back what they held") {
                server.admissions.unfinishedBytes <= 3 << 20
            }
            for peer in peers { peer.socket.close() }
            try await eventually("nothing is held in the end") {
                server.admissions.unfinishedBytes == 0
            }
        }
    }

    @Test func cachesShareTheirMemory() async throws {
        try await withServer {
            $0.limits.gopCacheBytes = 1 << 20
        } _: { server in
            var big = frames
            big.size = 100_000
            var peers: [RTMPPeer] = []
            for number in 0..<4 {
                let peer = try await RTMPPeer(server)
                try await peer.publish("p\(number)")
                peers.append(peer)
            }
            for peer in peers {
                try await peer.send(frames.headers + (0..<5).map { big.video($0) })
            }
            try await eventually("all frames are there") {
                let streams = try await server.status().streams
                return streams.count == 4 && streams.allSatisfy { $0.videoFrames == 5 }
            }
            let kept = try await server.status().streams.reduce(0) { $0 + $1.gopCacheBytes }
            #expect(kept <= 1 << 20)
        }
    }

    /// A million frames of one byte cost more than a megabyte, and a join takes a few buffers.
    @Test func smallFramesCostMemoryToo() throws {
        var cache = GOPCache(gopLimit: 1, byteLimit: 1 << 20)
        let writer = ChunkWriter(chunkSize: 65536)
        let key = try #require(try MediaUnit(frames.video(0), writer: writer))
        cache.append(key)
        var tiny = frames.video(1)
        tiny.payload = ByteBuffer(bytes: [0x27])
        let unit = try #require(try MediaUnit(tiny, writer: writer))
        var most = 0
        for _ in 0..<20_000 {
            cache.append(unit)
            most = max(most, cache.units.count)
        }
        #expect(most <= (1 << 20) / MediaUnit.overhead)
        cache.append(key)
        for round in 0..<1000 {
            cache.append(unit)
            let buffers = cache.joined(asTags: round % 2 == 0)
            #expect(buffers.count <= 1024)
            if round % 2 == 1 {
                #expect(
                    buffers.reduce(0) { $0 + $1.readableBytes }
                        == cache.units.reduce(0) { $0 + $1.chunks.readableBytes })
            }
        }
    }

    @Test(arguments: ["cam:", ":secret", ""]) func emptySecretsAreRefused(rule: String) async throws
    {
        var configuration = ServerConfiguration()
        configuration.streamKeys = ["good", rule]
        let problem = try #require(configuration.problem)
        #expect(problem.contains("NAME") || problem.contains("cam:SECRET"))
        await #expect(throws: ServerConfigurationError.self) {
            _ = try await RelayServer.start(configuration, logger: quiet)
        }
    }

    @Test func guessingBecomesSlow() throws {
        let keys = try StreamKeys(["cam:s3cret", "open"])
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        for number in 0..<StreamKeys.patience {
            #expect(
                keys.judge("cam", query: "key=\(number)", address: "a", now: now) == .denied)
        }
        // Even the right key is not compared now; another address is not affected.
        #expect(
            keys.judge("cam", query: "key=s3cret", address: "a", now: now) == .wait(seconds: 2))
        #expect(keys.judge("cam", query: "x=1&key=s3cret", address: "b", now: now) == .accepted)
        #expect(keys.judge("open", query: "", address: "b", now: now) == .accepted)
        #expect(keys.judge("cam", query: "", address: "b", now: now) == .denied)
        var guesses = 0
        for _ in 0..<600 {
            now = now + .seconds(1)
            if keys.judge("cam", query: "key=x", address: "a", now: now) == .denied {
                guesses += 1
            }
        }
        #expect(guesses < 30, "\(guesses) guesses in ten minutes")
        now = now + .seconds(60)
        #expect(keys.judge("cam", query: "key=s3cret", address: "a", now: now) == .accepted)
    }

    @Test func keysAreEqualOrNot() {
        let secret = Array("s3cret".utf8)
        for text in ["", "s", "s3cre", "s3cret!", "S3cret", "s3crets3cret"] {
            #expect(!StreamKeys.areEqual(Array(text.utf8), secret))
        }
        #expect(StreamKeys.areEqual(secret, secret))
        #expect(!StreamKeys.areEqual([], []))
    }

    private final class Lines: LogHandler, Sendable {
        let all = Mutex<[String]>([])
        var logLevel: Logger.Level {
            get { .debug }
            set {}
        }
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }
        func log(event: LogEvent) {
            all.withLock { $0.append("\(event.message)") }
        }
    }

    /// A name that would begin a line of its own in the log, or colour the terminal, is made
    /// harmless.
    @Test func controlCharactersAreEscapedInLogs() async throws {
        let lines = Lines()
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        configuration.hls = HLSConfiguration()
        let server = try await RelayServer.start(
            configuration, logger: Logger(label: "test") { _ in lines })
        let peer = try await RTMPPeer(server)
        try await peer.publish("x\n2026 info forged\u{1B}[31m\u{7}\u{202E}")
        try await peer.unpublish("x")
        try await eventually("both are logged") { lines.all.withLock { $0.count } >= 2 }
        for line in lines.all.withLock({ $0 }) {
            #expect(
                line.unicodeScalars.allSatisfy {
                    $0.properties.generalCategory != .control
                        && $0.properties.generalCategory != .format
                }, "\(line)")
        }
        #expect(lines.all.withLock { $0[0] }.contains("x\\u{a}2026 info forged"))
        try await server.stop()
    }

    /// Media on another message stream is left out, counted, and logged once.
    @Test func mediaElsewhereAreCounted() async throws {
        let lines = Lines()
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        let server = try await RelayServer.start(
            configuration, logger: Logger(label: "test") { _ in lines })
        let peer = try await RTMPPeer(server)
        try await peer.publish("a")
        for number in 0..<5 {
            var message = frames.video(number)
            message.messageStreamID = 9
            try await peer.send(message)
        }
        try await peer.send(frames.headers + [frames.video(0)])
        try await eventually("the frame on the right one is there") {
            try await server.stream()?.videoFrames == 1
        }
        #expect(try await server.stream()?.leftOutMessages == 5)
        #expect(try await server.status().leftOutMessages == 5)
        #expect(lines.all.withLock { $0.count { $0.contains("message stream 9") } } == 1)
        try await server.stop()
    }

    /// The messages that each joining player gets have a limit of their own.
    @Test func hugeMetadataAreLeftOut() async throws {
        try await withServer { server in
            let peer = try await RTMPPeer(server)
            try await peer.publish("a")
            for length in [1000, 300_000] {
                var payload = ByteBuffer()
                AMF0.write(.string("onMetaData"), into: &payload)
                AMF0.write(.string(String(repeating: "m", count: length)), into: &payload)
                try await peer.send(
                    Message(
                        chunkStreamID: 5, type: .dataAMF0, messageStreamID: peer.messageStreamID,
                        payload: payload))
            }
            try await peer.send(frames.headers + [frames.video(0)])
            let player = try await RTMPPeer(server)
            try await player.play("a")
            let media = try await player.media(upToVideo: 0)
            #expect(
                media.filter { $0.type == .dataAMF0 }.allSatisfy { $0.payload.readableBytes < 2000 }
            )
            #expect(try await server.stream()?.leftOutMessages == 1)
        }
    }

    /// A peer that does not know a stream's name does not learn it.
    @Test func missingStreamsNameNoOthers() async throws {
        try await withServer {
            $0.hls = HLSConfiguration()
        } _: { server in
            let peer = try await RTMPPeer(server)
            try await peer.publish("private-name")
            for path in ["/hls/live/none/index.m3u8", "/hls/live/none/master.m3u8", "/none", "/"] {
                let client = try HLSPeer(server)
                try await client.ask(path)
                let answer = try #require(try await client.answer())
                #expect(answer.status == 404)
                #expect(!answer.text.contains("private-name"))
            }
        }
    }
}
