import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// Peers send requests and do not read the responses.
@Suite(.timeLimit(.minutes(1))) struct UnreadTests {
    /// More bytes than the kernel buffers and the server queues; the server must cut the peer long
    /// before.
    private static let enough = 64 << 20

    private func pings(_ peer: RTMPPeer, _ count: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        for _ in 0..<count {
            peer.writer.write(.pingRequest(1), into: &bytes)
        }
        return bytes
    }

    @Test(arguments: ["nothing", "publish", "play"]) func pingFlood(role: String) async throws {
        try await withServer { server in
            let peer = try await RTMPPeer(server, receiveBuffer: 4096)
            switch role {
            case "publish": try await peer.publish("a")
            case "play": try await peer.play("a")
            default: try await peer.open()
            }
            // The request with the longest response fills the kernel's buffers soonest.
            var flood = pings(peer, 10)
            for _ in 0..<200 {
                let nameless = Command("play", transactionID: 9, [.null])
                try peer.writer.write(
                    nameless.message(messageStreamID: peer.messageStreamID), into: &flood)
            }
            var sent = 0
            while sent < Self.enough, try await peer.socket.send(flood) {
                sent += flood.readableBytes
            }
            #expect(sent < Self.enough, "the server answers for ever")
            try await eventually("its stream is gone") {
                try await server.status().streams.isEmpty
            }
        }
    }

    /// Many requests in one read are allowed if the responses are read.
    @Test func pingsThatAreRead() async throws {
        try await withServer { server in
            let peer = try await RTMPPeer(server)
            try await peer.open()
            for _ in 0..<2 {
                try await peer.socket.send(pings(peer, 4000))
                var answers = 0
                while answers < 4000 {
                    let message = try #require(try await peer.next())
                    if case .pingResponse? = try ControlMessage(message) { answers += 1 }
                }
            }
        }
    }

    /// A player that has paused and continues waits for a key frame; audio continues in the
    /// meantime. An audio-only stream has no key frame at all, and its queue has a limit all the
    /// same.
    @Test func audioOnlyAfterAPause() async throws {
        try await withServer {
            $0.queueByteLimit = 128 << 10
            $0.stalledSubscriberMilliseconds = 200
        } _: { server in
            let publisher = try await RTMPPeer(server)
            publisher.writer.chunkSize = 65536
            var bytes = ByteBuffer()
            ChunkWriter().write(.setChunkSize(65536), into: &bytes)
            try await publisher.socket.send(bytes)
            try await publisher.publish("a")
            let frames = TestFrames()
            try await publisher.send([frames.message(.audio, TestFrames.audioHeader)])
            let slow = try await RTMPPeer(server, receiveBuffer: 16384)
            try await slow.play("a")
            for paused in [true, false] {
                let command = Command(
                    "pause", transactionID: 4, [.null, .boolean(paused), .number(0)])
                try await slow.send(command.message(messageStreamID: slow.messageStreamID))
            }
            let sound = [UInt8](repeating: 7, count: 60_000)
            var sent = 0
            while sent < Self.enough / 60_000,
                try #require(try await server.stream()).rtmpSubscribers > 0
            {
                let message = frames.message(.audio, [0xAF, 1] + sound, at: UInt32(sent))
                try await publisher.send([message])
                sent += 1
                try await eventually("the frame is in") {
                    try #require(try await server.stream()).audioFrames >= sent
                }
                if try #require(try await server.stream()).droppedFrames > 0 { break }
            }
            #expect(sent < Self.enough / 60_000, "everything is queued")
        }
    }

    /// Nothing is sent to a player that waits for a stream, so no failed write shows that it is
    /// gone.
    @Test func httpPlayerThatWaits() async throws {
        try await withServer {
            $0.waitingPlayerMilliseconds = 100
        } _: { server in
            let peer = try await HTTPPeer(server, "/live/never.flv")
            try await peer.socket.waitForClose()
            #expect(try await server.status().streams.isEmpty)
        }
    }

    @Test func peersAreCalledByTheirAddress() async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let name = try #require(try await server.stream()?.publisher)
            #expect(name.hasPrefix("127.0.0.1:"), "\(name)")
        }
    }

    /// The error names the port that is taken, and its purpose.
    @Test func takenPorts() async throws {
        try await withServer { server in
            var configuration = ServerConfiguration()
            configuration.rtmpPort = server.rtmpPort
            configuration.httpPort = nil
            let rtmp = await #expect(throws: ServerError.self) {
                _ = try await RelayServer.start(configuration, logger: quiet)
            }
            #expect(rtmp?.isPortTaken == true)
            #expect(rtmp?.description.contains(":\(server.rtmpPort) for RTMP") == true)
            configuration.rtmpPort = 0
            configuration.httpPort = server.httpPort
            let http = await #expect(throws: ServerError.self) {
                _ = try await RelayServer.start(configuration, logger: quiet)
            }
            #expect(http?.listener == .http)
            configuration.httpPort = nil
            configuration.congestionControl = "nosuch"
            let control = await #expect(throws: ServerError.self) {
                _ = try await RelayServer.start(configuration, logger: quiet)
            }
            #expect(control?.description.contains("congestion control 'nosuch'") == true)
        }
    }
}
