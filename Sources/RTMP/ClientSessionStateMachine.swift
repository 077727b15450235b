public import NIOCore

/// The client's side of an RTMP session after the handshake: it publishes or plays one stream.
/// Media messages do not pass through it.
public struct ClientSessionStateMachine: Sendable {
    public enum Purpose: Hashable, Sendable {
        case publish
        /// The value is the player's buffer in milliseconds, which the client announces to the
        /// server.
        case play(bufferMilliseconds: UInt32)
    }

    public enum Action: Hashable, Sendable {
        case write(ByteBuffer)
        /// A publisher may send media now; a player will receive it.
        case started(messageStreamID: UInt32)
        /// The server refused; `code` is the code of its onStatus or _error.
        case refused(code: String, description: String)
        /// The server says that the stream is over.
        case ended(code: String)
    }

    private enum State {
        case idle
        case connecting
        case creatingStream
        case starting(messageStreamID: UInt32)
        case running(messageStreamID: UInt32)
        case closed
    }

    private enum Transaction {
        static let connect = 1.0
        static let releaseStream = 2.0
        static let fcPublish = 3.0
        static let createStream = 4.0
        static let start = 5.0
    }

    private let url: RTMPURL
    private let purpose: Purpose
    private let chunkSize: Int
    private let agent: String
    private var state = State.idle
    private var writer = ChunkWriter()
    private var acknowledgements = AcknowledgementWindow()

    /// - Parameters:
    ///   - chunkSize: Chunk size of what this client sends; the client announces it at once.
    ///   - agent: Text that is added to flashVer, so that logs and captures can distinguish
    ///     clients.
    public init(
        url: RTMPURL, purpose: Purpose, chunkSize: Int = 4096, agent: String = "millrace"
    ) {
        self.agent = agent
        self.url = url
        self.purpose = purpose
        self.chunkSize = chunkSize
    }

    /// Longest text of a refusal that is kept, in bytes.
    public static let reasonLimit = 1024

    /// Returns Set Chunk Size (unless the size is the default) and `connect`, to be sent after the
    /// handshake.
    public mutating func start() throws(RTMPError) -> ByteBuffer {
        state = .connecting
        var bytes = ByteBuffer()
        if chunkSize != writer.chunkSize {
            var sender = writer
            sender.chunkSize = chunkSize
            writer.write(.setChunkSize(UInt32(sender.chunkSize)), into: &bytes)
            writer = sender
        }
        var properties: [AMFValue.Property] = [.init("app", .string(url.application))]
        if purpose == .publish { properties.append(.init("type", .string("nonprivate"))) }
        properties += [
            .init(
                "flashVer",
                .string("\(purpose == .publish ? "FMLE/3.0" : "LNX 9,0,124,2") (\(agent))")),
            .init("tcUrl", .string(url.tcURL)), .init("fpad", .boolean(false)),
            .init("capabilities", .number(15)), .init("audioCodecs", .number(4071)),
            .init("videoCodecs", .number(252)), .init("videoFunction", .number(1)),
        ]
        try write(
            Command("connect", transactionID: Transaction.connect, [.object(properties)]), &bytes)
        return bytes
    }

    public mutating func received(bytes: Int) -> ByteBuffer? {
        acknowledgements.receive(bytes).map { encode(.acknowledgement($0)) }
    }

    /// Processes one message that is not media.
    public mutating func receive(_ message: Message) throws(RTMPError) -> [Action] {
        if let control = try ControlMessage(message) {
            switch control {
            case .windowAcknowledgementSize(let size): acknowledgements.size = size
            case .pingRequest(let time): return [.write(encode(.pingResponse(time)))]
            case .streamEOF:
                if case .running = state { return [.ended(code: "StreamEOF")] }
            default: break
            }
            return []
        }
        guard message.type == .commandAMF0 || message.type == .commandAMF3 else { return [] }
        let command = try Command(message)
        switch command.name {
        case "_result": return try result(command)
        case "_error":
            // Servers that do not know releaseStream and FCPublish may refuse them.
            let fatal = [Transaction.connect, Transaction.createStream, Transaction.start]
            guard fatal.contains(command.transactionID) else { return [] }
            return [refusal(command)]
        case "onStatus": return status(command)
        case "close": return [.ended(code: "close")]
        default: return []
        }
    }

    private mutating func result(_ command: Command) throws(RTMPError) -> [Action] {
        var bytes = ByteBuffer()
        switch (state, command.transactionID) {
        case (.connecting, Transaction.connect):
            state = .creatingStream
            if purpose == .publish {
                for (name, id) in [
                    ("releaseStream", Transaction.releaseStream),
                    ("FCPublish", Transaction.fcPublish),
                ] {
                    try write(
                        Command(name, transactionID: id, [.null, .string(url.streamName)]), &bytes)
                }
            } else {
                writer.write(.windowAcknowledgementSize(2_500_000), into: &bytes)
            }
            try write(
                Command("createStream", transactionID: Transaction.createStream, [.null]), &bytes)
        case (.creatingStream, Transaction.createStream):
            guard let number = command.arguments.dropFirst().first?.number, number >= 0,
                number <= Double(UInt32.max)
            else {
                return [.refused(code: "createStream", description: "no stream ID in the answer")]
            }
            let id = UInt32(number)
            state = .starting(messageStreamID: id)
            try startStream(id, &bytes)
        default: return []
        }
        return [.write(bytes)]
    }

    private func startStream(_ id: UInt32, _ bytes: inout ByteBuffer) throws(RTMPError) {
        switch purpose {
        case .publish:
            let command = Command(
                "publish", transactionID: Transaction.start,
                [.null, .string(url.streamName), .string("live")])
            try writer.write(command.message(chunkStreamID: 4, messageStreamID: id), into: &bytes)
        case .play(let buffer):
            let command = Command(
                "play", transactionID: Transaction.start,
                [.null, .string(url.streamName), .number(-2000)])
            try writer.write(command.message(chunkStreamID: 4, messageStreamID: id), into: &bytes)
            writer.write(.setBufferLength(streamID: id, milliseconds: buffer), into: &bytes)
        }
    }

    private mutating func status(_ command: Command) -> [Action] {
        let information = command.arguments.dropFirst().first ?? .null
        let code = information["code"]?.string ?? ""
        if information["level"]?.string == "error" { return [refusal(command)] }
        switch code {
        case "NetStream.Publish.Start", "NetStream.Play.Start":
            guard case .starting(let id) = state else { return [] }
            state = .running(messageStreamID: id)
            return [.started(messageStreamID: id)]
        case "NetStream.Play.Stop", "NetStream.Play.UnpublishNotify", "NetStream.Play.Complete",
            "NetStream.Unpublish.Success":
            return [.ended(code: code)]
        default: return []
        }
    }

    private mutating func refusal(_ command: Command) -> Action {
        state = .closed
        let information = command.arguments.first { $0["code"] != nil } ?? .null
        func cut(_ text: String) -> String {
            // The reason goes into reports, and a server's text must not fill them.
            text.utf8.count <= Self.reasonLimit
                ? text : String(decoding: text.utf8.prefix(Self.reasonLimit), as: UTF8.self) + "…"
        }
        return .refused(
            code: cut(information["code"]?.string ?? command.name),
            description: cut(
                information["description"]?.string ?? "the server gave no reason"))
    }

    /// Returns the messages that end a publication or a playback in good order.
    public mutating func close() throws(RTMPError) -> ByteBuffer {
        var bytes = ByteBuffer()
        switch state {
        case .starting(let id), .running(let id):
            if purpose == .publish {
                try write(
                    Command("FCUnpublish", transactionID: 6, [.null, .string(url.streamName)]),
                    &bytes)
            }
            try write(
                Command("deleteStream", transactionID: 7, [.null, .number(Double(id))]), &bytes)
        default: break
        }
        state = .closed
        return bytes
    }

    /// Writer of the chunks of media and data messages on the running stream. It stays the same while
    /// the stream runs.
    public var mediaWriter: ChunkWriter { writer }

    private func encode(_ control: ControlMessage) -> ByteBuffer {
        var bytes = ByteBuffer()
        writer.write(control, into: &bytes)
        return bytes
    }

    private func write(_ command: Command, _ bytes: inout ByteBuffer) throws(RTMPError) {
        try writer.write(command.message(), into: &bytes)
    }
}
