import NIOCore
import RTMP
import Testing

/// Attacks that need no stream: connections, handshakes, messages and commands.
extension Attack {
    static let handshakeAndMessages: [Attack] =
        repliesThatEcho + unfinishedMessages + comingAndGoing + [
            Attack("AMF that is nested, counted or long beyond all measure") { target in
                for value in hostileValues {
                    let peer = try await RTMPPeer(port: target.rtmp)
                    try await peer.useChunkSize(1 << 24)
                    var payload = ByteBuffer()
                    AMF0.write(.string("connect"), into: &payload)
                    AMF0.write(.number(1), into: &payload)
                    payload.writeBytes(value)
                    try await peer.send(
                        Message(chunkStreamID: 3, type: .commandAMF0, payload: payload))
                    peer.socket.close()
                }
            },
            Attack("one-byte chunks on the last of a thousand chunk streams") { target in
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.useChunkSize(1)
                for stream in 64..<1064 {
                    try await peer.send(raw: RTMPPeer.chunk(stream, claims: 1, [0x78]))
                }
                try await peer.send(raw: RTMPPeer.chunk(5, claims: 0xFF_FFF0, [0x78]))
                let block = Array(
                    repeatElement([RTMPPeer.basicHeader(3, 5)[0], 0x78] as [UInt8], count: 65536)
                        .joined())
                try await repeating(seconds: 3) { try await peer.send(raw: block) }
            },
            Attack("a flood of pause commands") { target in
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.play("z")
                let pause = Command("pause", transactionID: 0, [.null, .boolean(true), .number(0)])
                let block = try commands(pause, count: 2000, peer)
                try await repeating(seconds: 3) {
                    let isOpen = try await peer.socket.send(block)
                    return try await peer.pump() && isOpen
                }
            },
            Attack("keys that are guessed", keys) { target in
                for guess in 0..<200 {
                    let peer = try await RTMPPeer(port: target.rtmp)
                    let code = try await peer.publish("cam?key=\(guess)").code
                    #expect(code != "NetStream.Publish.Start")
                    peer.socket.close()
                }
            },
        ]

    /// Keys by which one stream needs a key, and the one beside the attack needs none.
    private static let keys = ["--stream-key", "cam:secret", "--stream-key", "bystander"]

    static func commands(_ command: Command, count: Int, _ peer: RTMPPeer) throws -> ByteBuffer {
        var block = ByteBuffer()
        for _ in 0..<count {
            try peer.writer.write(
                command.message(messageStreamID: peer.messageStreamID), into: &block)
        }
        return block
    }

    /// Attacks with text that a reply would repeat, with and without a required key.
    private static let repliesThatEcho: [Attack] = [
        ("connect", [], 5_700_000), ("connect", keys, 16_000_000),
        ("publish", [], 5_700_000), ("publish", keys, 5_700_000),
        ("play", [], 16_000_000),
    ].map { command, options, length in
        Attack("a reply that repeats \(length) bytes of \(command) \(options)", options) { target in
            for _ in 0..<3 {
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.sendTextToRepeat(in: command, length: length)
                try await peer.socket.waitForClose()
            }
        }
    }

    private static let unfinishedMessages: [Attack] = [
        Attack("messages of 16 MiB that are left unfinished by connections that close") { target in
            let zeros = [UInt8](repeating: 0, count: 0xFFF000)
            for _ in 0..<20 {
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.useChunkSize(0xFFF000)
                for stream in 10..<12 {
                    try await peer.send(raw: RTMPPeer.chunk(stream, claims: 0xFF_FFFF, zeros))
                }
                peer.socket.close()
            }
        },
        Attack("messages of 16 MiB that are left unfinished by publishers that stay") { target in
            let zeros = [UInt8](repeating: 0, count: 0xFFF000)
            var peers: [RTMPPeer] = []
            for number in 0..<20 {
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.publish("u\(number)")
                try await peer.useChunkSize(0xFFF000)
                for stream in 10..<12 {
                    try await peer.send(raw: RTMPPeer.chunk(stream, claims: 0xFF_FFFF, zeros))
                }
                peers.append(peer)
            }
        },
        Attack("millions of small messages of connections that close at once") { target in
            let small = [UInt8](RTMPPeer.chunk(6, claims: 2, [0x27, 1]))
            let flood = [UInt8]([[UInt8]](repeating: small, count: 150_000).joined())
            for _ in 0..<20 {
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.send(raw: flood)
                peer.socket.close()
            }
        },
        Attack("a thousand chunk streams that claim 16 MiB each") { target in
            var peers: [RTMPPeer] = []
            for _ in 0..<20 {
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.useChunkSize(1)
                let claims = (3..<1023).flatMap { RTMPPeer.chunk($0, claims: 0xFF_FFFF, [0x78]) }
                try await peer.send(raw: claims)
                peers.append(peer)
            }
        },
    ]

    private static let comingAndGoing: [Attack] =
        ["nothing", "handshake", "play", "HTTP", "all"]
        .map { kind in
            Attack("thousands of connections that come and go: \(kind)", segments) { target in
                var round = 0
                try await repeating(seconds: 4) {
                    round += 1
                    switch kind == "all"
                        ? ["nothing", "handshake", "play", "HTTP"][round % 4] : kind
                    {
                    case "nothing": try TCPSocket(port: target.rtmp).close()
                    case "handshake": try await RTMPPeer(port: target.rtmp).socket.close()
                    case "play":
                        let peer = try await RTMPPeer(port: target.rtmp)
                        try await peer.play("none\(round)")
                        peer.socket.close()
                    default:
                        let path = round % 2 == 0 ? "/hls/live/x/index.m3u8" : "/live/n.flv"
                        let peer = try HLSPeer(port: target.http)
                        try await peer.ask(path)
                        if round % 4 == 0 { _ = try await peer.answer() }
                        peer.socket.close()
                    }
                    return true
                }
            }
        } + [
            // The stacks are small, so that memory that grows with each publication shows early.
            Attack("thousands of publications of one stream", stackKiB: 256) { target in
                try await repeating(seconds: 4) {
                    let peer = try await RTMPPeer(port: target.rtmp)
                    try await peer.publish("a")
                    try await peer.unpublish("a")
                    peer.socket.close()
                    return true
                }
            },
            Attack("thousands of publications that are refused", stackKiB: 256) { target in
                let holder = try await RTMPPeer(port: target.rtmp)
                try await holder.publish("held")
                try await repeating(seconds: 4) {
                    let peer = try await RTMPPeer(port: target.rtmp)
                    #expect(try await peer.publish("held").code == "NetStream.Publish.BadName")
                    peer.socket.close()
                    return true
                }
            },
        ]

    private static let hostileValues: [[UInt8]] = [
        Array(repeatElement([3, 0, 1, 0x61] as [UInt8], count: 100_000).joined()),
        [0x0A, 0xFF, 0xFF, 0xFF, 0xFF],
        [UInt8](repeating: 5, count: 16_000_000),
        [0x0C, 0xFF, 0xFF, 0xFF, 0xFF],
        [0x11] + Array(repeatElement([9, 3, 1] as [UInt8], count: 5000).joined()),
        [3, 0, 1, 0x61, 0x0A, 0, 0, 0, 2, 5, 5]
            + Array(repeatElement([0, 1, 0x62, 7, 0, 1] as [UInt8], count: 20_000).joined()),
    ]
}
