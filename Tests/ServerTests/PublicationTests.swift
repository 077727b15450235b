import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// The server decides who may publish, and handles publishers that come and go.
@Suite(.timeLimit(.minutes(2))) struct PublicationTests {
    private let frames = TestFrames()

    @Test(arguments: [
        ("open", true), ("guarded?key=s3cret", true), ("guarded?x=1&key=s3cret&y=2", true),
        ("guarded", false), ("guarded?key=wrong", false), ("guarded?nokey=s3cret", false),
        ("guarded?key=s3cret2", false), ("other", false), ("", false),
    ])
    func streamKeys(name: String, isAccepted: Bool) async throws {
        try await withServer {
            $0.streamKeys = ["open", "guarded:s3cret"]
        } _: { server in
            let publisher = try await RTMPPeer(server, mode: .complex)
            let status = try await publisher.publish(name)
            if isAccepted {
                #expect(status.code == "NetStream.Publish.Start")
                let key = RTMPURL.splitQuery(name).key
                #expect(try await server.stream("live/\(key)")?.isPublished == true)
            } else {
                #expect(
                    status.code
                        == (name.isEmpty
                            ? "NetStream.Publish.BadName" : "NetStream.Publish.Denied"))
                #expect(!status.description.isEmpty)
                #expect(!status.description.contains("s3cret"))
                try await publisher.socket.waitForClose()
                #expect(try await server.status().streams.isEmpty)
            }
        }
    }

    @Test func secondPublisherIsRejected() async throws {
        try await withServer { server in
            let first = try await RTMPPeer(server)
            try await first.publish("a")
            try await first.send(frames.headers)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            let second = try await RTMPPeer(server)
            let status = try await second.publish("a")
            #expect(status.code == "NetStream.Publish.BadName")
            #expect(status.description.contains("already published"))
            try await second.socket.waitForClose()
            try await first.send(frames, 0..<10)
            _ = try await player.media(upToVideo: 9)
        }
    }

    /// The newcomer's frames follow the first publisher's in one timeline that never goes back.
    @Test(arguments: [1, 2]) func takeover(threads: Int) async throws {
        try await withServer {
            $0.takeover = .takeover
            $0.threads = threads
        } _: { server in
            let first = try await RTMPPeer(server)
            var early = frames
            early.start = 50_000
            try await first.publish("a")
            try await first.send(early.headers)
            try await first.send(early, 0..<15)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            var media = try await player.media(upToVideo: 14)
            let second = try await RTMPPeer(server)
            // Its metadata have time 0, and its frames begin at a much later time.
            var late = frames
            late.start = 7_000_000
            #expect(try await second.publish("a").code == "NetStream.Publish.Start")
            try await first.socket.waitForClose()
            var headers = late.headers
            headers[0].timestamp = 0
            try await second.send(headers)
            try await second.send(late, 100..<115)
            media += try await player.media(upToVideo: 114)
            let times = media.filter { $0.videoNumber != nil }.map(\.timestamp)
            #expect(times == times.sorted())
            let steps = zip(times, times.dropFirst()).map { $1 - $0 }
            #expect(steps.allSatisfy { $0 <= 1000 }, "a jump in \(times)")
            // The player's loop may have had the earlier group of pictures when the player came.
            let numbers = media.compactMap(\.videoNumber).drop { $0 < 10 }
            #expect(numbers == (Array(10..<15) + Array(100..<115))[...])
            let stream = try #require(try await server.stream())
            #expect(stream.isPublished)
            #expect(stream.rtmpSubscribers == 1)
        }
    }

    @Test func brokenPublisherReturnsWithinGrace() async throws {
        try await withServer { server in
            let first = try await RTMPPeer(server)
            try await first.publish("a")
            try await first.send(frames.headers)
            try await first.send(frames, 0..<15)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            var media = try await player.media(upToVideo: 14)
            first.socket.abort()
            try await eventually("the publisher is away") {
                try await server.stream()?.isPublished == false
            }
            let second = try await RTMPPeer(server)
            #expect(try await second.publish("a").code == "NetStream.Publish.Start")
            try await second.send(frames.headers)
            try await second.send(frames, 0..<12)
            media += try await player.media(upToVideo: 11)
            // The player's loop may have had the earlier group of pictures when the player came.
            let numbers = media.compactMap(\.videoNumber).drop { $0 < 10 }
            #expect(numbers == (Array(10..<15) + Array(0..<12))[...])
            let times = media.filter { $0.videoNumber != nil }.map(\.timestamp)
            #expect(times == times.sorted())
            #expect(times.last! == 14 * 40 + 40 + 11 * 40)
        }
    }

    @Test func brokenPublisherThatStaysAwayEndsTheStream() async throws {
        try await withServer {
            $0.publisherGraceMilliseconds = 100
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<5)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            _ = try await player.media(upToVideo: 4)
            publisher.socket.abort()
            #expect(try await player.status()?.code == "NetStream.Play.UnpublishNotify")
            try await player.socket.waitForClose()
            try await eventually("no stream") { try await server.status().streams.isEmpty }
        }
    }

    @Test(arguments: ["FCUnpublish", "deleteStream", "closeStream"])
    func cleanEndTellsPlayersAtOnce(goodbye: String) async throws {
        try await withServer {
            $0.publisherGraceMilliseconds = 3_600_000
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<5)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            _ = try await player.media(upToVideo: 4)
            _ = try await viewer.tags(upToVideo: 4)
            let argument: AMFValue =
                goodbye == "deleteStream"
                ? .number(Double(publisher.messageStreamID)) : .string("a")
            try await publisher.send(
                Command(goodbye, transactionID: 5, [.null, argument])
                    .message(
                        messageStreamID: goodbye == "closeStream" ? publisher.messageStreamID : 0))
            #expect(try await publisher.status()?.code == "NetStream.Unpublish.Success")
            #expect(try await player.status()?.code == "NetStream.Play.UnpublishNotify")
            try await player.socket.waitForClose()
            while try await viewer.tag() != nil {}
            // The name is free at once.
            let second = try await RTMPPeer(server)
            #expect(try await second.publish("a").code == "NetStream.Publish.Start")
        }
    }

    @Test(arguments: [1, 2]) func shutdownLeavesNothing(threads: Int) async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        configuration.threads = threads
        let server = try await RelayServer.start(configuration, logger: quiet)
        let publisher = try await RTMPPeer(server)
        try await publisher.publish("a")
        try await publisher.send(frames.headers)
        try await publisher.send(frames, 0..<5)
        let player = try await RTMPPeer(server)
        try await player.play("a")
        let viewer = try await HTTPPeer(server, "/live/a.flv")
        _ = try await player.media(upToVideo: 4)
        _ = try await viewer.tags(upToVideo: 4)
        let idle = try TCPSocket(port: server.rtmpPort)
        try await server.stop()
        #expect(try await player.status()?.code == "NetStream.Play.UnpublishNotify")
        for socket in [publisher.socket, player.socket, viewer.socket, idle] {
            try await socket.waitForClose()
        }
        #expect(!TCPSocket.accepts(port: server.rtmpPort))
    }

    @Test func ipv6() async throws {
        try await withServer {
            $0.host = "::1"
        } _: { server in
            let publisher = try await RTMPPeer(server, host: "::1")
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<5)
            let player = try await RTMPPeer(server, host: "::1")
            try await player.play("a")
            _ = try await player.media(upToVideo: 4)
            let viewer = try await HTTPPeer(server, "/live/a.flv", host: "::1")
            _ = try await viewer.tags(upToVideo: 4)
        }
    }
}
