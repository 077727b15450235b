import Glibc
import Media
import NIOCore
import TestServer
import TestSupport
import Testing

@testable import Server

/// Encoders need no secret: the server checks which process is at the other end.
@Suite(.timeLimit(.minutes(1))) struct EncoderIdentityTests {
    @Test(arguments: ["127.0.0.1", "::1"]) func socketsOfProcesses(host: String) async throws {
        try await withServer({ $0.host = host }) { server in
            let socket = try TCPSocket(host: host, port: server.rtmpPort)
            let port = try #require(socket.localPort)
            let from = try SocketAddress(ipAddress: host, port: port)
            let to = try SocketAddress(ipAddress: host, port: server.rtmpPort)
            #expect(ProcessSockets.holds(getpid(), from: from, to: to))
            // The same port of another address is not the same connection.
            let other = try SocketAddress(
                ipAddress: host == "::1" ? "fe80::7" : "192.0.2.7", port: port)
            #expect(!ProcessSockets.holds(getpid(), from: other, to: to))
            #expect(!ProcessSockets.holds(pid_t(Int32.max), from: from, to: to))
        }
    }

    @Test func argumentsHoldNoSecret() {
        let rendition = LadderRendition(
            name: "low", width: 160, height: 90, framesPerSecond: 30,
            videoBitsPerSecond: 200_000, audioBitsPerSecond: 0)
        let command = EncoderCommand(
            host: "127.0.0.1", port: 1935, source: "live/cam",
            ladder: LadderConfiguration(renditions: [rendition]), renditions: [rendition])
        #expect(command.outputs == ["live/cam_low"])
        #expect(!command.arguments.contains { $0.contains("?") && !$0.hasPrefix("0:a") })
    }

    /// A stranger on this machine who uses an encoder's name is not a child of the server.
    @Test func othersAreNoEncoders() async throws {
        try await withServer({
            $0.streamKeys = ["cam"]
            let rendition = LadderRendition(
                name: "low", width: 160, height: 90, framesPerSecond: 30,
                videoBitsPerSecond: 200_000, audioBitsPerSecond: 0)
            var ladder = LadderConfiguration(renditions: [rendition])
            ladder.ffmpegPath = "/bin/true"
            $0.ladders = [ladder]
        }) { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("cam")
            try await eventually("the encoder runs") {
                try await server.status().ladders.isEmpty == false
            }
            let refused = try await RTMPPeer(server).publish("cam_low")
            #expect(refused.code == "NetStream.Publish.Denied")
        }
    }
}
