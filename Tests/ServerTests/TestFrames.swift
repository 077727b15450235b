import NIOCore
import RTMP

/// Messages with the number of their frame in the payload.
struct TestFrames {
    /// Number of frames from one key frame to the next.
    var gop = 10
    /// Size of a video frame in bytes.
    var size = 200
    /// Whether every second frame that is not a key frame is disposable.
    var hasDisposables = false
    var messageStreamID: UInt32 = 1
    /// Timestamp of frame 0; frames are 40 ms apart.
    var start: UInt32 = 0

    static let videoHeader: [UInt8] = [0x17, 0, 0, 0, 0, 1, 0x42, 0xC0, 0x1E]
    static let audioHeader: [UInt8] = [0xAF, 0, 0x12, 0x10]

    func message(_ type: MessageType, _ payload: [UInt8], at time: UInt32 = 0) -> Message {
        Message(
            chunkStreamID: type == .audio ? 4 : 6, timestamp: start &+ time, type: type,
            messageStreamID: messageStreamID, payload: ByteBuffer(bytes: payload))
    }

    func metadata(_ properties: [AMFValue.Property] = [.init("encoder", .string("test"))])
        -> Message
    {
        var payload = ByteBuffer()
        AMF0.write(.string("@setDataFrame"), into: &payload)
        AMF0.write(.string("onMetaData"), into: &payload)
        AMF0.write(.ecmaArray(properties), into: &payload)
        return Message(
            chunkStreamID: 5, type: .dataAMF0, messageStreamID: messageStreamID, payload: payload)
    }

    var headers: [Message] {
        [metadata(), message(.video, Self.videoHeader), message(.audio, Self.audioHeader)]
    }

    func isDisposable(_ number: Int) -> Bool {
        hasDisposables && number % gop != 0 && number % 2 == 1
    }

    func video(_ number: Int) -> Message {
        let kind: UInt8 = number % gop == 0 ? 0x17 : isDisposable(number) ? 0x37 : 0x27
        var payload = ByteBuffer(bytes: [kind, 1, 0, 0, 0])
        payload.writeInteger(UInt32(number))
        payload.writeRepeatingByte(UInt8(number & 0x7F), count: max(0, size - 9))
        return Message(
            chunkStreamID: 6, timestamp: start &+ UInt32(number * 40), type: .video,
            messageStreamID: messageStreamID, payload: payload)
    }

    func audio(_ number: Int) -> Message {
        var payload = ByteBuffer(bytes: [0xAF, 1])
        payload.writeInteger(UInt32(number))
        return Message(
            chunkStreamID: 4, timestamp: start &+ UInt32(number * 40), type: .audio,
            messageStreamID: messageStreamID, payload: payload)
    }
}

extension Message {
    var isSequenceHeader: Bool {
        guard type == .video || type == .audio else { return false }
        return payload.getInteger(at: payload.readerIndex + 1) == UInt8(0)
    }

    var isKeyFrame: Bool {
        type == .video && payload.getInteger(at: payload.readerIndex) == UInt8(0x17)
            && !isSequenceHeader
    }

    /// Number of the frame, if this is a video frame of `TestFrames`.
    var videoNumber: Int? {
        guard type == .video, !isSequenceHeader else { return nil }
        return payload.getInteger(at: payload.readerIndex + 5, as: UInt32.self).map(Int.init)
    }

    var audioNumber: Int? {
        guard type == .audio, !isSequenceHeader else { return nil }
        return payload.getInteger(at: payload.readerIndex + 2, as: UInt32.self).map(Int.init)
    }
}

extension RTMPPeer {
    func send(_ messages: [Message]) async throws {
        var bytes = ByteBuffer()
        for message in messages { try writer.write(message, into: &bytes) }
        try await socket.send(bytes)
    }

    /// Sends video frames, each with an audio frame.
    func send(_ frames: TestFrames, _ numbers: Range<Int>) async throws {
        try await send(numbers.flatMap { [frames.video($0), frames.audio($0)] })
    }
}
