import NIOCore
import RTMP

@testable import Capture

/// Builds the frames of TCP connections over Ethernet and IPv4, and keeps them with their times.
struct PacketScript {
    struct Packet {
        var time: Int64
        var bytes: [UInt8]
        var originalLength: Int
    }

    /// One TCP connection to port 1935 of 10.0.0.1.
    struct Connection {
        var clientPort: UInt16
        var serverPort: UInt16 = 1935
        var clientSequence: UInt32 = 1000
        var serverSequence: UInt32 = 0xFFFF_F000
        /// Whether each segment has 12 bytes of timestamps.
        var hasTimestamps = true
    }

    var packets: [Packet] = []
    /// Time of the next packet in ns since 1970.
    var now: Int64 = 1_700_000_000_000_000_000

    mutating func handshake(_ connection: inout Connection, maximumSegmentSize: UInt16 = 1460) {
        let option: [UInt8] = [
            2, 4, UInt8(maximumSegmentSize >> 8), UInt8(maximumSegmentSize & 0xFF),
        ]
        add(Self.tcp(connection, up: true, flags: 0x02, options: option))
        connection.clientSequence &+= 1
        add(Self.tcp(connection, up: false, flags: 0x12, options: option))
        connection.serverSequence &+= 1
        add(Self.tcp(connection, up: true, flags: 0x10))
    }

    mutating func send(_ payload: [UInt8], _ connection: inout Connection, up: Bool) {
        add(Self.tcp(connection, up: up, flags: 0x18, payload: payload))
        if up {
            connection.clientSequence &+= UInt32(payload.count)
        } else {
            connection.serverSequence &+= UInt32(payload.count)
        }
    }

    mutating func add(_ bytes: [UInt8], captured: Int? = nil) {
        packets.append(
            Packet(
                time: now, bytes: Array(bytes.prefix(captured ?? bytes.count)),
                originalLength: bytes.count))
        now += 100_000
    }

    static func tcp(
        _ connection: Connection, up: Bool, flags: UInt8, sequence: UInt32? = nil,
        options extra: [UInt8] = [], payload: [UInt8] = []
    ) -> [UInt8] {
        var options = extra
        if connection.hasTimestamps, flags & 2 == 0 {
            options += [1, 1, 8, 10] + [UInt8](repeating: 7, count: 8)
        }
        let total = 20 + 20 + options.count + payload.count
        var buffer = ByteBuffer()
        buffer.writeBytes([UInt8](repeating: 2, count: 12))
        buffer.writeInteger(UInt16(0x0800))
        buffer.writeMultipleIntegers(UInt8(0x45), UInt8(0), UInt16(truncatingIfNeeded: total))
        buffer.writeMultipleIntegers(UInt32(0), UInt8(64), UInt8(6), UInt16(0))
        let client: UInt32 = 0x0A00_0002
        let server: UInt32 = 0x0A00_0001
        buffer.writeMultipleIntegers(up ? client : server, up ? server : client)
        let ports = (connection.clientPort, connection.serverPort)
        buffer.writeMultipleIntegers(up ? ports.0 : ports.1, up ? ports.1 : ports.0)
        let own = up ? connection.clientSequence : connection.serverSequence
        let other = up ? connection.serverSequence : connection.clientSequence
        buffer.writeMultipleIntegers(sequence ?? own, flags & 0x10 == 0 ? 0 : other)
        buffer.writeMultipleIntegers(UInt8((20 + options.count) / 4) << 4, flags, UInt16(500))
        buffer.writeInteger(UInt32(0))
        buffer.writeBytes(options)
        buffer.writeBytes(payload)
        return Array(buffer.readableBytesView)
    }

    /// Adds the handshake, connect and a publish or play request.
    mutating func openRTMP(_ connection: inout Connection, publishes: Bool, name: String) {
        handshake(&connection)
        let greeting = [3] + [UInt8](repeating: 0x5A, count: 1536)
        send(greeting, &connection, up: true)
        send(greeting + [UInt8](repeating: 1, count: 1536), &connection, up: false)
        send([UInt8](repeating: 1, count: 1536), &connection, up: true)
        send(
            Self.chunks([
                Command("connect", transactionID: 1, [.object([.init("app", .string("live"))])])
                    .message(),
                ControlMessage.setChunkSize(4096).message,
            ]), &connection, up: true)
        send(Self.chunks([ControlMessage.setChunkSize(4096).message]), &connection, up: false)
        let request = Command(
            publishes ? "publish" : "play", transactionID: 0, [.null, .string("\(name)?key=1")])
        send(
            Self.chunks([request.message(chunkStreamID: 8, messageStreamID: 1)], size: 4096),
            &connection, up: true)
    }

    static func chunks(_ messages: [Message], size: Int = 128) -> [UInt8] {
        var buffer = ByteBuffer()
        let writer = ChunkWriter(chunkSize: size)
        for message in messages { _ = try? writer.write(message, into: &buffer) }
        return Array(buffer.readableBytesView)
    }

    /// Makes a video (0x27 …) or audio (0xAF …) message with contents that follow from `content`.
    static func media(
        isVideo: Bool, time: UInt32, content: UInt32, length: Int = 600, streamID: UInt32 = 1
    ) -> Message {
        var payload = ByteBuffer(bytes: isVideo ? [0x27, 1, 0, 0, 0] : [0xAF, 1])
        var value = content
        while payload.readableBytes < length {
            value = value &* 1_664_525 &+ 1_013_904_223
            payload.writeInteger(value)
        }
        return Message(
            chunkStreamID: isVideo ? 6 : 4, timestamp: time, type: isVideo ? .video : .audio,
            messageStreamID: streamID, payload: payload)
    }

    mutating func send(_ message: Message, _ connection: inout Connection, up: Bool) {
        send(Self.chunks([message], size: 4096), &connection, up: up)
    }

    func analyzed(_ options: CaptureOptions = CaptureOptions()) -> CaptureReport {
        var analyzer = CaptureAnalyzer(options: options)
        for packet in packets {
            packet.bytes.withUnsafeBytes {
                analyzer.packet(
                    timestampNanoseconds: packet.time, linkType: .ethernet, captured: $0,
                    originalLength: packet.originalLength)
            }
        }
        analyzer.finish()
        return analyzer.report()
    }

    /// The packets as a pcap file.
    var file: [UInt8] {
        var bytes = PcapWriter.fileHeader(linkType: .ethernet)
        for packet in packets {
            packet.bytes.withUnsafeBytes {
                PcapWriter.append(
                    timestampNanoseconds: packet.time, captured: $0,
                    originalLength: packet.originalLength, to: &bytes)
            }
        }
        return bytes
    }
}
