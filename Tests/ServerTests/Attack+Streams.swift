import Foundation
import HLS
import NIOCore
import RTMP
import SimulationKernel
import TestSupport
import Testing

/// Attacks by publishers: on caches, names and the packaging of HLS.
extension Attack {
    /// A sequence parameter set of 320x240 that parsers accept.
    static let configuration: [UInt8] = {
        let sps: [UInt8] = [
            0x67, 0x64, 0x00, 0x15, 0xAC, 0xD9, 0x41, 0xE0, 0x8F, 0xEB, 0x01, 0x10, 0x00, 0x00,
            0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xC0, 0xF1, 0x62, 0xD9, 0x60,
        ]
        let pps: [UInt8] = [0x68, 0xEB, 0xE3, 0xCB, 0x22, 0xC0]
        return [1, 0x64, 0x00, 0x15, 0xFF, 0xE1, 0, UInt8(sps.count)] + sps
            + [1, 0, UInt8(pps.count)] + pps
    }()

    static func videoHeader(_ tail: [UInt8] = []) -> [UInt8] {
        [0x17, 0, 0, 0, 0] + configuration + tail
    }

    static func frame(_ size: Int = 10, isKey: Bool = true) -> [UInt8] {
        let unit = [isKey ? 0x65 : 0x41] + [UInt8](repeating: 0x88, count: max(1, size - 1))
        let length = withUnsafeBytes(of: UInt32(unit.count).bigEndian, Array.init)
        return [isKey ? 0x17 : 0x27, 1, 0, 0, 0] + length + unit
    }

    static func audioFrame(_ size: Int = 50) -> [UInt8] {
        [0xAF, 1] + [UInt8](repeating: 0x21, count: size)
    }

    static let audioHeader: [UInt8] = [0xAF, 0, 0x12, 0x10]

    /// Returns a peer that publishes `name`, has announced its tracks, and writes each message as
    /// one chunk.
    static func publisher(_ name: String, _ target: Target) async throws -> RTMPPeer {
        let peer = try await RTMPPeer(port: target.rtmp)
        try await peer.publish(name)
        try await peer.useChunkSize(1 << 24)
        try await peer.send([video(videoHeader()), audio(audioHeader)])
        return peer
    }

    static func video(_ payload: [UInt8], at time: UInt32 = 0) -> Message {
        Message(
            chunkStreamID: 6, timestamp: time, type: .video, messageStreamID: 1,
            payload: ByteBuffer(bytes: payload))
    }

    static func audio(_ payload: [UInt8], at time: UInt32 = 0) -> Message {
        Message(
            chunkStreamID: 4, timestamp: time, type: .audio, messageStreamID: 1,
            payload: ByteBuffer(bytes: payload))
    }

    static func bytes(_ messages: [Message]) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        let writer = ChunkWriter(chunkSize: 1 << 24)
        for message in messages { try writer.write(message, into: &bytes) }
        return bytes
    }

    static let streams: [Attack] = [
        Attack("hundreds of thousands of frames of one byte, and players that join") { target in
            let peer = try await publisher("tiny", target)
            try await peer.send([video(frame(50))])
            let tiny = video([0x27, 1], at: 40)
            let block = try bytes([Message](repeating: tiny, count: 20_000))
            for _ in 0..<15 { try #require(try await peer.socket.send(block)) }
            for _ in 0..<8 {
                let player = try HLSPeer(port: target.http)
                try await player.ask("/live/tiny.flv")
                _ = try await player.socket.receive()
            }
        },
        Attack("aggregate messages of thousands of tiny frames", segments) { target in
            let peer = try await publisher("parts", target)
            try await peer.send([video(frame(50))])
            let parts = [Message](repeating: video([0x27, 1], at: 40), count: 4000)
            let block = try bytes([Message](repeating: Message(aggregate: parts), count: 5))
            for _ in 0..<15 { try #require(try await peer.socket.send(block)) }
        },
        Attack("metadata of 15 MB, and players that join") { target in
            let peer = try await publisher("meta", target)
            var payload = ByteBuffer()
            AMF0.write(.string("@setDataFrame"), into: &payload)
            AMF0.write(.string("onMetaData"), into: &payload)
            payload.writeBytes([8, 0, 0, 0, 1, 0, 1, 0x61, 0x0C])
            payload.writeInteger(UInt32(15_000_000))
            payload.writeRepeatingByte(0x4D, count: 15_000_000)
            payload.writeBytes([0, 0, 9])
            try await peer.send([
                Message(
                    chunkStreamID: 5, type: .dataAMF0, messageStreamID: 1, payload: payload),
                video(frame(100)),
            ])
            for _ in 0..<20 {
                let player = try await RTMPPeer(port: target.rtmp)
                try await player.play("meta")
                player.socket.close()
            }
        },
        Attack("names that are paths, markup, commands or no text", segments) { target in
            let names = [
                "../../etc/passwd", "a\u{0}b", "a\nINJECTED\u{1B}[31mred", "a%2e%2e%2f", "ünï☃", "",
                "/", "?", String(repeating: "x", count: 65_000), "<script>", ";rm -rf ~;$(id)`id`",
                "\"", "'", "-i",
            ]
            for name in names {
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.open()
                let publish = Command("publish", transactionID: 3, [.null, .string(name)])
                try await peer.send(publish.message(messageStreamID: peer.messageStreamID))
                try await peer.send([video(videoHeader()), video(frame())])
                peer.socket.close()
            }
            let peer = try HLSPeer(port: target.http)
            try await peer.ask("/api/v1/status")
            let answer = try #require(try await peer.answer())
            #expect(answer.status == 200)
            #expect(throws: Never.self) {
                _ = try JSONSerialization.jsonObject(with: Data(answer.body.readableBytesView))
            }
        },
        Attack("a new name for each of many publications", segments) { target in
            var number = 0
            try await repeating(seconds: 4) {
                number += 1
                let peer = try await RTMPPeer(port: target.rtmp)
                try await peer.publish("n\(number)_720p")
                try await peer.send([video(videoHeader()), video(frame())])
                peer.socket.close()
                return true
            }
            let peer = try HLSPeer(port: target.http)
            for path in ["/hls/live/n1/master.m3u8", "/hls/live/none/index.m3u8"] {
                try await peer.ask(path)
                #expect(try await peer.answer() != nil)
            }
        },
    ]

    /// Attacks on the code that cuts a stream into segments.
    static let packaging: [Attack] =
        [segments, parts].flatMap { options in
            [
                Attack("audio for ever at one moment \(options[1])", options) { target in
                    let peer = try await publisher("grow", target)
                    try await peer.send([video(frame(50))])
                    let block = try bytes([audio(audioFrame(1_000_000), at: 10)])
                    try await repeating(seconds: 4) { try await peer.socket.send(block) }
                },
                Attack("a new configuration before each key frame \(options[1])", options) {
                    target in
                    let peer = try await publisher("alt", target)
                    var time: UInt32 = 0
                    try await repeating(seconds: 3) {
                        let messages = (0..<100).flatMap { number -> [Message] in
                            time += 1
                            return [
                                video(videoHeader(number % 2 == 0 ? [] : [0]), at: time),
                                video(frame(), at: time),
                            ]
                        }
                        return try await peer.socket.send(try bytes(messages))
                    }
                },
                Attack("timestamps that jump after every two frames \(options[1])", options) {
                    target in
                    let peer = try await publisher("jump", target)
                    var time: UInt32 = 0
                    try await repeating(seconds: 4) {
                        let messages = (0..<100).flatMap { _ -> [Message] in
                            defer { time &+= 11_002 }
                            return [
                                video(frame(), at: time), video(frame(isKey: false), at: time &+ 1),
                            ]
                        }
                        return try await peer.socket.send(try bytes(messages))
                    }
                    let reader = try HLSPeer(port: target.http)
                    try await reader.ask("/hls/live/jump/index.m3u8")
                    let answer = try #require(try await reader.answer())
                    #expect(answer.body.readableBytes < 1 << 20)
                },
                Attack("timestamps, types and offsets at random \(options[1])", options) { target in
                    var random = SeededGenerator(seed: 1)
                    let peer = try await publisher("random", target)
                    for number in 0..<40 {
                        let messages = (0..<100).map { _ in anything(number, using: &random) }
                        guard try await peer.socket.send(try bytes(messages)) else { return }
                    }
                },
            ]
        } + [
            Attack("audio that is hours ahead of the pictures", segments) { target in
                let peer = try await publisher("ahead", target)
                try await peer.send([video(frame(50)), audio(audioFrame(), at: 10_000_000)])
                for number in 0..<150 as Range<UInt32> {
                    try await peer.send([
                        video(frame(50, isKey: number % 30 == 0), at: 40 * number),
                        audio(audioFrame(), at: 10_000_000 + 40 * number),
                    ])
                }
                let reader = try HLSPeer(port: target.http)
                try await eventually("a playlist is there") {
                    try await reader.ask("/hls/live/ahead/index.m3u8")
                    return try await reader.answer()?.status == 200
                }
                let playlist = try await reader.playlist("/hls/live/ahead/index.m3u8")
                #expect(playlist.targetDuration <= 60)
            },
            Attack("thousands of clients that wait for the next part", parts) { target in
                var clients: [HLSPeer] = []
                for _ in 0..<900 {
                    let client = try HLSPeer(port: target.http)
                    try await client.ask(
                        "/hls/live/bystander/index.m3u8?_HLS_msn=\(clients.count % 7)&_HLS_part=3")
                    clients.append(client)
                }
                for client in clients { client.socket.close() }
            },
        ]

    /// Makes a message with any contents.
    private static func anything(_ number: Int, using random: inout SeededGenerator) -> Message {
        let times: [UInt32] = [
            0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF, 0xFF_FFFF, 0x100_0000,
            UInt32(number), UInt32.random(in: 0 ... .max, using: &random),
        ]
        let time = times.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<100, using: &random) {
        case ..<40:
            var payload = frame(30, isKey: Bool.random(using: &random))
            for index in 2...4 { payload[index] = UInt8.random(in: 0...255, using: &random) }
            return video(payload, at: time)
        case ..<80: return audio(audioFrame(), at: time)
        case ..<85: return video([], at: time)
        case ..<90: return audio([], at: time)
        default:
            let count = Int.random(in: 1...60, using: &random)
            return video(
                (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }, at: time)
        }
    }
}
