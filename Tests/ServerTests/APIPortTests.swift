import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// The API has a port and an event loop of its own.
@Suite(.timeLimit(.minutes(1))) struct APIPortTests {
    private let frames = TestFrames()

    @Test func `the API is at its own port, and media at theirs`() async throws {
        try await withServer {
            $0.apiPort = 0
            $0.hls = HLSConfiguration()
        } _: { server in
            let port = try #require(server.apiPort)
            #expect(port != server.httpPort)
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<12)
            try await eventually("the frames are in") {
                try await server.stream()?.videoFrames == 12
            }
            for path in ["/api/v1/status", "/metrics"] {
                let answer = try await HTTPPeer(server, path, port: port)
                #expect(answer.status == 200)
                // JSON may write a slash with a backslash before it.
                let text = try await answer.text().split(separator: "\\").joined()
                #expect(text.contains("live/a"))
                #expect(try await HTTPPeer(server, path).status == 404)
            }
            for path in ["/live/a.flv", "/hls/live/a/index.m3u8", "/"] {
                #expect(try await HTTPPeer(server, path, port: port).status == 404)
            }
            let viewer = try await HTTPPeer(server, "/live/a.flv")
            #expect(try await viewer.tags(upToVideo: 11).compactMap(\.videoNumber) == [10, 11])
        }
    }

    /// Requests that change something reach the loops that serve media.
    @Test(arguments: [1, 2]) func `changes reach the loops of media`(threads: Int) async throws {
        try await withServer { target in
            try await withServer {
                $0.apiPort = 0
                $0.threads = threads
            } _: { source in
                let port = try #require(source.apiPort)
                let publisher = try await RTMPPeer(source)
                try await publisher.publish("a")
                try await publisher.send(frames.headers)
                let url = "rtmp%3A%2F%2F127.0.0.1%3A\(target.rtmpPort)%2Fcopy%2Fa"
                let path = "/api/v1/push?stream=live%2Fa&url=\(url)"
                #expect(try await HTTPPeer(source, path, method: "POST", port: port).status == 200)
                try await eventually("the target takes the stream") {
                    try await source.status().pushes.first?.state == .live
                }
                let kick = "/api/v1/kick?stream=live/a"
                #expect(try await HTTPPeer(source, kick, method: "POST", port: port).status == 200)
                try await publisher.socket.waitForClose()
            }
        }
    }
}
