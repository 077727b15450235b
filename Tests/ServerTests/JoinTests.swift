import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// A joining player gets headers, metadata and whole groups of pictures.
@Suite(.timeLimit(.minutes(2))) struct JoinTests {
    private let frames = TestFrames()

    /// Expects headers first, then a key frame, then every frame once.
    private func expectGapless(_ media: [Message], from first: Int, to last: Int) {
        let isMedia = { (message: Message) in
            message.videoNumber != nil || message.audioNumber != nil
        }
        let head = media.prefix { !isMedia($0) }
        #expect(head.filter { $0.type == .video }.count == 1, "one video header first")
        #expect(head.filter { $0.type == .audio }.count == 1, "one audio header first")
        #expect(head.contains { $0.type == .dataAMF0 }, "metadata first")
        #expect(media.dropFirst(head.count).allSatisfy(isMedia), "headers only once")
        let video = media.compactMap(\.videoNumber)
        #expect(video == Array(first...last))
        #expect(first % frames.gop == 0)
        #expect(media.first(where: isMedia)?.isKeyFrame == true)
        let audio = media.compactMap(\.audioNumber)
        #expect(audio == Array(first..<last))
        let times = media.dropFirst(head.count).map(\.timestamp)
        #expect(times == times.sorted())
    }

    @Test(arguments: [(0, 30), (1, 20), (2, 10), (8, 0)])
    func joinBurst(gops: Int, first: Int) async throws {
        try await withServer {
            $0.gopCache = gops
        } _: { server in
            let publisher = try await RTMPPeer(server)
            #expect(try await publisher.publish("a").code == "NetStream.Publish.Start")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<25)
            try await eventually("25 frames") { try await server.stream()?.videoFrames == 25 }
            let player = try await RTMPPeer(server)
            #expect(try await player.play("a").code == "NetStream.Play.Start")
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            try await eventually("two players") {
                let stream = try await server.stream()
                return stream?.rtmpSubscribers == 1 && stream?.flvSubscribers == 1
            }
            try await publisher.send(frames, 25..<35)
            expectGapless(try await player.media(upToVideo: 34), from: first, to: 34)
            expectGapless(try await viewer.tags(upToVideo: 34), from: first, to: 34)
            #expect(viewer.flags.audio == true)
            #expect(viewer.flags.video == true)
        }
    }

    /// A player that joins while audio waits for the next video frame gets each frame once.
    @Test func joinWhileAudioWaits() async throws {
        try await withServer {
            $0.flushIntervalMilliseconds = 10_000
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<12)
            try await publisher.send([frames.audio(12)])
            try await eventually("13 audio frames") {
                try await server.stream()?.audioFrames == 13
            }
            let player = try await RTMPPeer(server)
            try await player.play("a")
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            try await eventually("two players") {
                let stream = try await server.stream()
                return stream?.rtmpSubscribers == 1 && stream?.flvSubscribers == 1
            }
            try await publisher.send([frames.video(12)])
            for media in [
                try await player.media(upToVideo: 12), try await viewer.tags(upToVideo: 12),
            ] {
                #expect(media.compactMap(\.videoNumber) == [10, 11, 12])
                #expect(media.compactMap(\.audioNumber) == [10, 11, 12])
            }
        }
    }

    /// A burst of more buffers than the channel takes at once arrives whole and in order, before the
    /// frames that come while it waits.
    @Test func aLongBurstToASlowPlayer() async throws {
        let long = TestFrames(gop: 200, size: 8000)
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(long.headers)
            try await publisher.send(long, 0..<150)
            try await eventually("150 frames") { try await server.stream()?.videoFrames == 150 }
            let player = try await RTMPPeer(server, receiveBuffer: 4096)
            try await player.play("a")
            let viewer = try await HTTPPeer(server, "/live/a.flv", receiveBuffer: 4096)
            try await eventually("two players") {
                let stream = try await server.stream()
                return stream?.rtmpSubscribers == 1 && stream?.flvSubscribers == 1
            }
            try await publisher.send(long, 150..<160)
            try await eventually("160 frames") { try await server.stream()?.videoFrames == 160 }
            expectGapless(try await player.media(upToVideo: 159), from: 0, to: 159)
            expectGapless(try await viewer.tags(upToVideo: 159), from: 0, to: 159)
        }
    }

    /// A cache that would outgrow its limit drops old groups, and keeps no incomplete one.
    @Test func cacheByteLimit() async throws {
        try await withServer {
            $0.gopCache = 8
            $0.gopCacheByteLimit = 10 * 240
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<23)
            try await eventually("23 frames") { try await server.stream()?.videoFrames == 23 }
            #expect(try await #require(server.stream()).gopCacheBytes <= 10 * 240)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            expectGapless(try await player.media(upToVideo: 22), from: 20, to: 22)
        }
    }

    @Test func playBeforePublishWaits() async throws {
        try await withServer { server in
            let player = try await RTMPPeer(server)
            #expect(try await player.play("a").code == "NetStream.Play.Start")
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            #expect(viewer.status == 200)
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            // The player joins inside a group of pictures: nothing can be decoded before frame 10.
            try await publisher.send(frames, 3..<15)
            expectGapless(try await player.media(upToVideo: 14), from: 10, to: 14)
            expectGapless(try await viewer.tags(upToVideo: 14), from: 10, to: 14)
        }
    }

    @Test func playBeforePublishIsRefused() async throws {
        try await withServer {
            $0.earlyPlay = .refuse
        } _: { server in
            let player = try await RTMPPeer(server)
            let status = try await player.play("a")
            #expect(status.code == "NetStream.Play.StreamNotFound")
            #expect(status.description.contains("live/a"))
            try await player.socket.waitForClose()
            #expect(try await HTTPPeer(server, "/live/a.flv").status == 404)
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let second = try await RTMPPeer(server)
            #expect(try await second.play("a").code == "NetStream.Play.Start")
        }
    }

    /// A player that pauses gets nothing, and then continues at a key frame, with the metadata that
    /// came in the meantime.
    @Test func pauseAndResume() async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<5)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            _ = try await player.media(upToVideo: 4)
            func pause(_ paused: Bool) async throws {
                let command = Command(
                    "pause", transactionID: 5, [.null, .boolean(paused), .number(0)])
                try await player.send(command.message(messageStreamID: player.messageStreamID))
                let code = paused ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify"
                #expect(try await player.status()?.code == code)
            }
            try await pause(true)
            try await publisher.send([frames.metadata([.init("encoder", .string("new"))])])
            try await publisher.send(frames, 5..<13)
            try await eventually("13 frames") { try await server.stream()?.videoFrames == 13 }
            try await pause(false)
            try await publisher.send(frames, 13..<24)
            let media = try await player.media(upToVideo: 23)
            #expect(media.compactMap(\.videoNumber) == [20, 21, 22, 23])
            var payload = try #require(media.first { $0.type == .dataAMF0 }).payload
            let values = try AMF0.readAll(&payload)
            #expect(values.last?["encoder"]?.string == "new")
        }
    }

    /// A player that pauses before anything came still gets the headers.
    @Test func pauseWhileWaiting() async throws {
        try await withServer { server in
            let player = try await RTMPPeer(server)
            try await player.play("a")
            func pause(_ paused: Bool) async throws {
                let command = Command(
                    "pause", transactionID: 5, [.null, .boolean(paused), .number(0)])
                try await player.send(command.message(messageStreamID: player.messageStreamID))
                #expect(try await player.status() != nil)
            }
            try await pause(true)
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<5)
            try await eventually("5 frames") { try await server.stream()?.videoFrames == 5 }
            try await pause(false)
            try await publisher.send(frames, 5..<13)
            let media = try await player.media(upToVideo: 12)
            let header = media.firstIndex { $0.type == .video && $0.isSequenceHeader }
            let key = media.firstIndex { $0.videoNumber != nil }
            #expect(try #require(header) < #require(key))
            #expect(media[try #require(key)].isKeyFrame)
        }
    }
}
