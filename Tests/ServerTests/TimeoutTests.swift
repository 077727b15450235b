import NIOCore
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// Peers that send nothing, send too little, or stop are cut after their timeouts.
@Suite(.timeLimit(.minutes(1))) struct TimeoutTests {
    private func hurry(_ configuration: inout ServerConfiguration) {
        // The timeout is long enough to set up a test on a busy machine.
        configuration.setupTimeoutMilliseconds = 2500
        configuration.publisherIdleMilliseconds = 300
        configuration.pingIntervalMilliseconds = 300
    }

    @Test func connectsAndSaysNothing() async throws {
        try await withServer(hurry) { server in
            let silent = try TCPSocket(port: server.rtmpPort)
            let http = try TCPSocket(port: try #require(server.httpPort))
            try await silent.waitForClose()
            try await http.waitForClose()
        }
    }

    @Test(arguments: ["handshake", "connect", "createStream"])
    func stopsHalfway(after step: String) async throws {
        try await withServer(hurry) { server in
            let peer = try await RTMPPeer(server)
            if step == "connect" {
                let object = AMFValue.object([.init("app", .string("live"))])
                try await peer.send(Command("connect", transactionID: 1, [object]).message())
            } else if step == "createStream" {
                try await peer.open()
            }
            try await peer.socket.waitForClose()
        }
    }

    /// One byte now and then does not keep an unused connection alive.
    @Test func dripsForever() async throws {
        try await withServer(hurry) { server in
            let socket = try TCPSocket(port: server.rtmpPort)
            let http = try TCPSocket(port: try #require(server.httpPort))
            let peer = try await RTMPPeer(server)
            try await peer.open()
            var open = [true, true, true]
            try await eventually("all are cut", within: .seconds(15)) {
                if case .closed = socket.poll() { open[0] = false }
                if case .closed = http.poll() { open[1] = false }
                if open[2] { open[2] = try await peer.pump() }
                if open[0] { open[0] = try await socket.send(ByteBuffer(bytes: [3])) }
                if open[1] { open[1] = try await http.send(ByteBuffer(string: "G")) }
                if open[2] { open[2] = try await peer.send(ControlMessage.pingResponse(0).message) }
                try await Task.sleep(for: .milliseconds(20))
                return open == [false, false, false]
            }
        }
    }

    @Test func silentPublisher() async throws {
        try await withServer {
            hurry(&$0)
            $0.publisherGraceMilliseconds = 0
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(TestFrames().headers)
            try await publisher.socket.waitForClose()
            try await eventually("the stream is over") {
                try await server.status().streams.isEmpty
            }
        }
    }

    /// A player that answers no ping is cut, one that answers stays.
    @Test func pings() async throws {
        // Only the pings are faster, and leave a busy machine time to answer: sweeps are a second
        // apart.
        try await withServer {
            $0.pingIntervalMilliseconds = 1000
        } _: { server in
            let mute = try await RTMPPeer(server)
            let alive = try await RTMPPeer(server)
            try await mute.play("a")
            try await alive.play("a")
            mute.answersPings = false
            var isMuteOpen = true
            try await eventually("the mute player is cut, the other pinged", within: .seconds(20)) {
                if isMuteOpen { isMuteOpen = try await mute.pump() }
                try #require(try await alive.pump())
                return !isMuteOpen && alive.pings >= 3
            }
            #expect(mute.pings >= 1)
            #expect(try await server.stream()?.rtmpSubscribers == 1)
        }
    }
}
