import NIOCore
import RTMP

/// Sending of bytes that no writer writes.
extension RTMPPeer {
    /// Sends bytes unchanged, even if they are not a message of any writer. Returns false if the
    /// server has closed.
    @discardableResult
    func send(raw bytes: [UInt8]) async throws -> Bool {
        try await socket.send(ByteBuffer(bytes: bytes))
    }

    /// Announces a chunk size to the server, and writes with it.
    func useChunkSize(_ size: Int) async throws {
        try await send(ControlMessage.setChunkSize(UInt32(size)).message)
        writer.chunkSize = size
    }

    /// Sends a command with `length` bytes of text that the reply would repeat; text that is not
    /// UTF-8 grows threefold on the way.
    func sendTextToRepeat(in command: String, length: Int) async throws {
        try await useChunkSize(1 << 24)
        var payload = ByteBuffer()
        AMF0.write(.string(command), into: &payload)
        AMF0.write(.number(3), into: &payload)
        if command == "connect" {
            payload.writeBytes([3, 0, 10])
            payload.writeString("fourCcList")
        } else {
            try await open()
            AMF0.write(.null, into: &payload)
        }
        payload.writeBytes([0x0C])
        payload.writeInteger(UInt32(length))
        payload.writeRepeatingByte(length > 6_000_000 ? 0x41 : 0xFF, count: length)
        if command == "connect" { payload.writeBytes([0, 0, 9]) }
        try await send(
            Message(
                chunkStreamID: 3, type: .commandAMF0, messageStreamID: messageStreamID,
                payload: payload))
    }

    /// Makes a header of type 0 that announces `claims` bytes, with `payload` behind it.
    static func chunk(
        _ stream: Int, type: UInt8 = 9, claims length: Int, _ payload: [UInt8]
    ) -> [UInt8] {
        basicHeader(0, stream)
            + [0, 0, 0, UInt8(length >> 16), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)]
            + [type, 1, 0, 0, 0] + payload
    }

    static func basicHeader(_ format: UInt8, _ stream: Int) -> [UInt8] {
        if stream < 64 { return [format << 6 | UInt8(stream)] }
        if stream < 320 { return [format << 6, UInt8(stream - 64)] }
        let rest = stream - 64
        return [format << 6 | 1, UInt8(rest & 0xFF), UInt8(rest >> 8)]
    }
}

extension Message {
    /// Makes an aggregate message (section 7.1.6) with parts that have own times `shift` later than
    /// their timestamps.
    init(aggregate parts: [Message], timestamp: UInt32 = 0, shift: UInt32 = 0) {
        var payload = ByteBuffer()
        for part in parts {
            let size = UInt32(part.payload.readableBytes)
            let time = part.timestamp + shift
            payload.writeInteger(UInt32(part.type.rawValue) << 24 | size)
            payload.writeInteger(time << 8 | time >> 24)
            payload.writeRepeatingByte(0, count: 3)
            payload.writeImmutableBuffer(part.payload)
            payload.writeInteger(size + 11)
        }
        self.init(
            chunkStreamID: 6, timestamp: timestamp, type: .aggregate, messageStreamID: 1,
            payload: payload)
    }
}
