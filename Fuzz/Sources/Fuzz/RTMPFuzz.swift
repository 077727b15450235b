import NIOCore
import RTMP

/// Each runs parsers over arbitrary bytes and traps where they contradict themselves.
enum RTMPFuzz {
    private struct Outcome: Equatable {
        var messages: [Message] = []
        var error: RTMPError?
    }

    /// The chunk reader whole and in pieces: the same messages, the same error. What it finds is
    /// written again, counted, and fed to both sessions.
    static func chunkStream(_ bytes: UnsafeRawBufferPointer) {
        let input = ByteBuffer(bytes: bytes)
        let whole = read(input, pieces: max(1, bytes.count))
        precondition(read(input, pieces: 1) == whole, "single bytes give other messages")
        precondition(read(input, pieces: 13) == whole, "pieces of 13 bytes give other messages")
        count(bytes, whole)
        var server = ServerSessionStateMachine()
        if let url = try? RTMPURL("rtmp://h/live/a") {
            var client = ClientSessionStateMachine(url: url, purpose: .publish)
            _ = try? client.start()
            for message in whole.messages { _ = try? client.receive(message) }
        }
        for message in whole.messages {
            if message.type == .aggregate { _ = try? message.split() }
            for action in (try? server.receive(message)) ?? [] {
                switch action {
                case .publishRequested(let request): _ = try? server.acceptPublish(request)
                case .playRequested(let request): _ = try? server.acceptPlay(request)
                default: break
                }
            }
        }
        writeAgain(whole.messages)
    }

    private static func read(_ bytes: ByteBuffer, pieces: Int) -> Outcome {
        var rest = bytes
        var reader = ChunkReader()
        var outcome = Outcome()
        while outcome.error == nil, rest.readableBytes > 0,
            let piece = rest.readSlice(length: min(pieces, rest.readableBytes))
        {
            reader.append(piece)
            do {
                while let message = try reader.next() { outcome.messages.append(message) }
            } catch {
                outcome.error = error
            }
        }
        return outcome
    }

    private static func count(_ bytes: UnsafeRawBufferPointer, _ whole: Outcome) {
        guard whole.error == nil else { return }
        var counter = ChunkCounter()
        guard (try? counter.consume(bytes) { _ in }) != nil else { return }
        let video = whole.messages.filter { $0.type == .video }
        precondition(counter.videoMessages == video.count, "the counter sees other messages")
        precondition(
            counter.videoBytes >= video.reduce(0) { $0 + $1.payload.readableBytes },
            "the counter sees fewer bytes")
    }

    private static func writeAgain(_ messages: [Message]) {
        // Control messages would change how the reader goes on.
        let plain = messages.filter { $0.type.rawValue > 6 }
        var bytes = ByteBuffer()
        let writer = ChunkWriter(chunkSize: 128)
        for message in plain {
            let before = bytes.readableBytes
            try? writer.write(message, into: &bytes)
            precondition(
                bytes.readableBytes - before == writer.encodedLength(message),
                "encodedLength is wrong")
        }
        let again = read(bytes, pieces: max(1, bytes.readableBytes))
        precondition(again.messages == plain, "messages do not survive a round trip")
    }

    /// A peer's side of a session after the handshake: every reply is small and can be read.
    static func session(_ bytes: UnsafeRawBufferPointer) {
        var reader = ChunkReader()
        reader.messageLimit = 64 << 10
        reader.append(ByteBuffer(bytes: bytes))
        var server = ServerSessionStateMachine()
        var replies = ByteBuffer()
        var handed = 0
        while let message = try? reader.next() {
            _ = server.received(bytes: message.payload.readableBytes)
            guard !message.type.isMedia else { continue }
            for action in (try? server.receive(message)) ?? [] {
                switch action {
                case .write(let reply): check(reply, &replies)
                case .publishRequested(let request):
                    handed += 1
                    let answer =
                        handed % 2 == 0
                        ? try? server.acceptPublish(request)
                        : try? server.reject(request, code: "NetStream.Publish.BadName", "no")
                    check(answer ?? ByteBuffer(), &replies)
                case .playRequested(let request):
                    check((try? server.acceptPlay(request)) ?? ByteBuffer(), &replies)
                    let ended = try? server.playEnded(messageStreamID: request.messageStreamID)
                    check(ended ?? ByteBuffer(), &replies)
                case .pause, .streamEnded, .peerIsAlive, .close: break
                }
            }
        }
        var client = ChunkReader()
        client.append(replies)
        do {
            while let message = try client.next() { _ = try ControlMessage(message) }
        } catch {
            preconditionFailure("a reply cannot be read: \(error)")
        }
    }

    private static func check(_ reply: ByteBuffer, _ replies: inout ByteBuffer) {
        precondition(
            reply.readableBytes <= 16 * ServerSessionStateMachine.nameLimit,
            "a reply of \(reply.readableBytes) bytes")
        replies.writeImmutableBuffer(reply)
    }

    static func amf0(_ bytes: UnsafeRawBufferPointer) {
        var input = ByteBuffer(bytes: bytes)
        guard let values = try? AMF0.readAll(&input) else { return }
        var first = ByteBuffer()
        for value in values { AMF0.write(value, into: &first) }
        var copy = first
        guard let again = try? AMF0.readAll(&copy) else {
            preconditionFailure("what was written cannot be read")
        }
        // Values may hold NaN, which equals nothing: the bytes must agree.
        var second = ByteBuffer()
        for value in again { AMF0.write(value, into: &second) }
        precondition(first == second, "AMF0 does not survive a round trip")
    }

    static func amf3(_ bytes: UnsafeRawBufferPointer) {
        var input = ByteBuffer(bytes: bytes)
        guard let value = try? AMF3.read(&input) else { return }
        var first = ByteBuffer()
        AMF3.write(value, into: &first)
        var copy = first
        guard let again = try? AMF3.read(&copy) else {
            preconditionFailure("what was written cannot be read")
        }
        var second = ByteBuffer()
        AMF3.write(again, into: &second)
        precondition(first == second, "AMF3 does not survive a round trip")
    }
}
