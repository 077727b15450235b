import FoundationEssentials
import NIOCore
import RTMP
import SimulationKernel
import TestServer
import Testing

@testable import Server

/// Attacking peers are cut, and the streams of other peers are not affected.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostileInputTests {
    private let frames = TestFrames()

    /// Runs `attack` beside a stream, which must continue.
    private func withBystander(_ attack: (RelayServer) async throws -> Void) async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            let player = try await RTMPPeer(server)
            try await player.play("a")
            try await publisher.send(frames, 0..<10)
            var media = try await player.media(upToVideo: 9)
            let before = try residentBytes()
            try await attack(server)
            let grown = try residentBytes() - before
            #expect(grown < 400 << 20, "resident memory grew by \(grown >> 20) MiB")
            try await publisher.send(frames, 10..<20)
            media += try await player.media(upToVideo: 19)
            #expect(media.compactMap(\.videoNumber) == Array(0..<20))
        }
    }

    private func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .ascii)
        return try #require(Int(text.split(separator: " ")[1])) * 4096
    }

    @Test func bigMessagesOnThousandsOfChunkStreams() async throws {
        try await withBystander { server in
            let peer = try await RTMPPeer(server)
            var bytes = ByteBuffer()
            for stream in 100..<5100 {
                bytes.writeBytes(
                    RTMPPeer.chunk(
                        stream, type: 9, claims: 0xFF_FFFF, [UInt8](repeating: 0, count: 128)))
            }
            try await peer.socket.send(bytes)
            try await peer.socket.waitForClose()
        }
    }

    /// Few chunk streams each carry most of a 16 MiB message.
    @Test func unfinishedMessagesAreBounded() async throws {
        try await withBystander { server in
            let peer = try await RTMPPeer(server)
            try await peer.send(ControlMessage.setChunkSize(1 << 20).message)
            let megabyte = [UInt8](repeating: 7, count: 1 << 20)
            var isOpen = true
            for round in 0..<15 where isOpen {
                for stream in 100..<108 where isOpen {
                    let bytes =
                        round == 0
                        ? RTMPPeer.chunk(stream, type: 9, claims: 0xFF_FFFF, megabyte)
                        : RTMPPeer.basicHeader(3, stream) + megabyte
                    isOpen = try await peer.socket.send(ByteBuffer(bytes: bytes))
                }
            }
            try await peer.socket.waitForClose()
            #expect(!isOpen)
        }
    }

    @Test func greatestChunkSizeIsLegal() async throws {
        try await withBystander { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.send(ControlMessage.setChunkSize(0x7FFF_FFFF).message)
            publisher.writer.chunkSize = 0x7FFF_FFFF
            try await publisher.publish("b")
            try await publisher.send(frames.headers)
            let player = try await RTMPPeer(server)
            try await player.play("b")
            var big = frames
            big.size = 0xFF_FFFF
            try await publisher.send([big.video(0)])
            let media = try await player.media(upToVideo: 0)
            #expect(media.last?.payload == big.video(0).payload)
        }
    }

    @Test(arguments: [0, 0x8000_0000, 0xFFFF_FFFF] as [UInt32])
    func impossibleChunkSize(size: UInt32) async throws {
        try await withBystander { server in
            let peer = try await RTMPPeer(server)
            try await peer.send(ControlMessage.setChunkSize(size).message)
            try await peer.socket.waitForClose()
        }
    }

    @Test(arguments: [
        ("long string", [0x0C, 0xFF, 0xFF, 0xFF, 0xFF, 0x41]),
        ("XML", [0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0x41]),
        ("strict array", [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x05]),
        ("ECMA array", [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]),
        ("AMF3 byte array", [0x11, 0x0C, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("AMF3 array", [0x11, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
        ("AMF3 string", [0x11, 0x06, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("deep objects", [UInt8](repeating: 0x0A, count: 1) + [0, 0, 0, 1]),
    ])
    func claimsOfGigabytes(what: String, value: [UInt8]) async throws {
        try await withBystander { server in
            let peer = try await RTMPPeer(server)
            var payload = ByteBuffer()
            AMF0.write(.string("connect"), into: &payload)
            AMF0.write(.number(1), into: &payload)
            if what == "deep objects" {
                for _ in 0..<10_000 { payload.writeBytes(value) }
            } else {
                payload.writeBytes(value)
            }
            try await peer.send(
                Message(chunkStreamID: 3, type: .commandAMF0, payload: payload))
            try await peer.socket.waitForClose()
        }
    }

    /// Garbage comes from the first byte on, after the version, and after a good handshake.
    @Test func garbage() async throws {
        try await withBystander { server in
            for seed in UInt64(0)..<40 {
                var random = SeededGenerator(seed: seed)
                var bytes = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
                let socket: TCPSocket
                if seed % 2 == 0 {
                    socket = try TCPSocket(port: server.rtmpPort)
                    if seed % 4 == 0 { bytes[0] = 3 }
                } else {
                    socket = try await RTMPPeer(server).socket
                }
                try await socket.send(ByteBuffer(bytes: bytes))
                // Garbage that happens to be valid is cut by the setup timeout; the test need not
                // wait for it.
                socket.close()
            }
            for seed in UInt64(0)..<10 {
                var random = SeededGenerator(seed: seed)
                let socket = try TCPSocket(port: try #require(server.httpPort))
                let bytes = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) }
                try await socket.send(ByteBuffer(bytes: bytes))
                try await socket.waitForClose()
            }
        }
    }

    /// The first byte is not an RTMP version, or it is that of an encrypted variant.
    @Test(arguments: [0, 6, 8, 0x16, 0x47] as [UInt8])
    func wrongVersion(byte: UInt8) async throws {
        try await withBystander { server in
            let socket = try TCPSocket(port: server.rtmpPort)
            try await socket.send(ByteBuffer(bytes: [byte]))
            try await socket.waitForClose()
        }
    }

    /// The peer sends text that a reply would repeat, longer than a reply can be.
    @Test(arguments: ["connect", "publish", "play"], [5_700_000, 16_000_000])
    func repliesThatRepeatThePeersText(command: String, length: Int) async throws {
        try await withBystander { server in
            let peer = try await RTMPPeer(server)
            try await peer.sendTextToRepeat(in: command, length: length)
            try await peer.socket.waitForClose()
        }
    }

    @Test func endlessHTTPHead() async throws {
        try await withBystander { server in
            let socket = try TCPSocket(port: try #require(server.httpPort))
            var isOpen = try await socket.send(ByteBuffer(string: "GET / HTTP/1.1\r\n"))
            let header = ByteBuffer(string: "X-A: " + String(repeating: "b", count: 1000) + "\r\n")
            for _ in 0..<100_000 where isOpen { isOpen = try await socket.send(header) }
            #expect(!isOpen, "a head of 100 MB is taken")
        }
    }
}
