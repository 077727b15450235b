import FoundationEssentials
import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

@Suite(.timeLimit(.minutes(1))) struct HTTPTests {
    private let frames = TestFrames()

    @Test func everyAnswerAllowsOtherOrigins() async throws {
        try await withServer { server in
            for (method, path, status) in [
                ("GET", "/live/a.flv", 200), ("HEAD", "/live/a.flv", 200), ("GET", "/", 404),
                ("GET", "/a.flv", 404), ("GET", "/live/a.m3u8", 404),
                ("GET", "/live/a.flv?x=1", 200),
                ("POST", "/live/a.flv", 405),
                ("OPTIONS", "/live/a.flv", 204),
            ] {
                let peer = try await HTTPPeer(server, path, method: method)
                #expect(peer.status == status, "\(method) \(path)")
                #expect(peer.headers["access-control-allow-origin"] == "*")
                if status == 405 { #expect(peer.headers["allow"] == "GET, HEAD, OPTIONS") }
                if method == "HEAD" { #expect(try await peer.text() == "") }
                if status == 404 { #expect(try await peer.text().contains("/<app>/<stream>.flv")) }
            }
        }
    }

    @Test(arguments: [(true, true), (true, false), (false, true)])
    func flagsTellTheTruth(hasAudio: Bool, hasVideo: Bool) async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let early = try await HTTPPeer(server, "/live/a.flv")
            var messages = [frames.metadata()]
            if hasVideo { messages.append(frames.message(.video, TestFrames.videoHeader)) }
            if hasAudio { messages.append(frames.message(.audio, TestFrames.audioHeader)) }
            for number in 0..<15 {
                if hasVideo { messages.append(frames.video(number)) }
                if hasAudio { messages.append(frames.audio(number)) }
            }
            try await publisher.send(messages)
            try await eventually("all is in") {
                let stream = try await server.stream()
                return stream?.videoFrames == (hasVideo ? 15 : 0)
                    && stream?.audioFrames == (hasAudio ? 15 : 0)
            }
            let late = try await HTTPPeer(server, "/live/a.flv")
            try await eventually("two viewers") {
                try await server.stream()?.flvSubscribers == 2
            }
            try await publisher.send(hasVideo ? frames.video(15) : frames.audio(15))
            for peer in [early, late] {
                var seen: [Message] = []
                while let tag = try await peer.tag() {
                    seen.append(tag)
                    if (tag.videoNumber ?? tag.audioNumber) == 15 { break }
                }
                #expect(peer.flags.audio == hasAudio)
                #expect(peer.flags.video == hasVideo)
                #expect(seen.contains { $0.type == .video } == hasVideo)
                #expect(seen.contains { $0.type == .audio } == hasAudio)
            }
        }
    }

    /// Audio may come first; metadata that declare video are believed.
    @Test func audioBeforeVideo() async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            try await publisher.send([
                frames.metadata([.init("videocodecid", .number(7))]),
                frames.message(.audio, TestFrames.audioHeader), frames.audio(0),
            ])
            while let tag = try await viewer.tag(), tag.audioNumber != 0 {}
            #expect(viewer.flags.audio == true)
            #expect(viewer.flags.video == true)
            try await publisher.send([
                frames.message(.video, TestFrames.videoHeader), frames.video(0), frames.video(1),
            ])
            let media = try await viewer.tags(upToVideo: 1)
            #expect(media.first?.isSequenceHeader == true)
            #expect(media.compactMap(\.videoNumber) == [0, 1])
        }
    }

    @Test func statusJSON() async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<12)
            try await eventually("12 frames") { try await server.stream()?.audioFrames == 12 }
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            _ = try await viewer.tags(upToVideo: 11)
            let peer = try await HTTPPeer(server, "/api/v1/status")
            let text = try await peer.text()
            #expect(peer.headers["content-type"] == "application/json")
            #expect(peer.headers["content-length"] == "\(text.utf8.count)")
            let status = try JSONDecoder().decode(ServerStatus.self, from: Data(text.utf8))
            let stream = try #require(status.streams.first)
            #expect(status.streams.count == 1)
            #expect(stream.name == "live/a")
            #expect(stream.isPublished)
            #expect(stream.videoFrames == 12)
            #expect(stream.audioFrames == 12)
            #expect(stream.keyFrames == 2)
            #expect(stream.flvSubscribers == 1)
            #expect(stream.rtmpSubscribers == 0)
            #expect(stream.droppedFrames == 0)
            #expect(stream.gopCacheBytes > 0)
            #expect(stream.receivedBytes > 12 * frames.size)
        }
    }

    @Test func escapedNames() async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("caf\u{E9} 1")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<5)
            let viewer = try await HTTPPeer(server, "/live/caf%C3%A9%201.flv")
            _ = try await viewer.tags(upToVideo: 4)
        }
    }
}
