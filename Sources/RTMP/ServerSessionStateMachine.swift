public import NIOCore

/// The server's side of an RTMP session after the handshake: it takes commands and returns
/// decisions. Media messages do not pass through it.
public struct ServerSessionStateMachine: Sendable {
    public struct Configuration: Sendable {
        /// Chunk size of what the server sends. It is large because every chunk costs the reader a
        /// header.
        public var chunkSize: Int
        public var windowAcknowledgementSize: UInt32

        public init(chunkSize: Int = 65536, windowAcknowledgementSize: UInt32 = 2_500_000) {
            self.chunkSize = chunkSize
            self.windowAcknowledgementSize = windowAcknowledgementSize
        }
    }

    public struct StreamRequest: Hashable, Sendable {
        public var messageStreamID: UInt32
        public var application: String
        public var streamKey: String
        public var query: String
        var transactionID: Double
    }

    public enum Action: Hashable, Sendable {
        case write(ByteBuffer)
        /// The caller answers with `accept` or `reject`.
        case publishRequested(StreamRequest)
        case playRequested(StreamRequest)
        case pause(Bool)
        /// The peer ended the message stream by deleteStream, closeStream or FCUnpublish.
        case streamEnded(messageStreamID: UInt32)
        case peerIsAlive
        /// The caller waits until everything is written, and then closes the connection.
        case close(reason: String)
    }

    private enum State {
        case awaitingConnect
        case connected(application: String)
    }

    private enum Role {
        case publishing
        case playing
    }

    private let configuration: Configuration
    private var state = State.awaitingConnect
    private var writer = ChunkWriter()
    private var acknowledgements = AcknowledgementWindow()
    private var nextMessageStreamID: UInt32 = 1
    private var roles: [UInt32: Role] = [:]
    /// Largest number of streams that one connection may create; encoders and players use one.
    static let messageStreamLimit: UInt32 = 64
    /// Longest application name, longest stream name with its query, and longest value that a reply
    /// repeats; in bytes.
    public static let nameLimit = 1024

    public init(configuration: Configuration = .init()) {
        self.configuration = configuration
    }

    /// Counts received bytes; returns the Acknowledgement to write, or nil if none is due.
    public mutating func received(bytes: Int) -> ByteBuffer? {
        acknowledgements.receive(bytes).map { encode(.acknowledgement($0)) }
    }

    /// Processes one message that is not media.
    public mutating func receive(_ message: Message) throws(RTMPError) -> [Action] {
        if let control = try ControlMessage(message) { return receive(control) }
        guard message.type == .commandAMF0 || message.type == .commandAMF3 else { return [] }
        return try receive(try Command(message), on: message.messageStreamID)
    }

    private mutating func receive(_ control: ControlMessage) -> [Action] {
        switch control {
        case .windowAcknowledgementSize(let size):
            acknowledgements.size = size
            return []
        case .pingRequest(let time): return [.write(encode(.pingResponse(time)))]
        case .pingResponse, .acknowledgement: return [.peerIsAlive]
        default: return []
        }
    }

    private mutating func receive(
        _ command: Command, on streamID: UInt32
    ) throws(RTMPError) -> [Action] {
        guard case .connected(let application) = state else {
            return command.name == "connect" ? try connect(command) : []
        }
        switch command.name {
        case "createStream":
            guard nextMessageStreamID <= Self.messageStreamLimit else {
                return [.close(reason: "more than \(Self.messageStreamLimit) message streams")]
            }
            defer { nextMessageStreamID += 1 }
            return [try result(command, .number(Double(nextMessageStreamID)))]
        case "publish", "play":
            return try request(command, streamID, application)
        case "pause":
            return try pause(command, streamID)
        case "deleteStream", "closeStream", "FCUnpublish":
            return try end(command, streamID)
        case "getStreamLength", "_checkbw", "checkBandwidth":
            return [try result(command, .number(0))]
        case "releaseStream", "FCPublish", "FCSubscribe":
            return [try result(command, .undefined)]
        case "seek", "receiveAudio", "receiveVideo", "_result", "_error", "onStatus":
            return []
        default:
            // Unknown commands are answered, so that a peer that waits for a reply goes on; they
            // are never fatal.
            return command.transactionID > 0 ? [try result(command, .undefined)] : []
        }
    }

    private func request(
        _ command: Command, _ streamID: UInt32, _ application: String
    ) throws(RTMPError) -> [Action] {
        let isPublish = command.name == "publish"
        guard let name = command.arguments.dropFirst().first?.string, roles[streamID] == nil else {
            return [
                try status(
                    streamID, level: "error", code: "NetStream.Failed",
                    "\(isPublish ? "publish" : "play") needs a stream name and a free message stream"
                )
            ]
        }
        guard name.utf8.count <= Self.nameLimit else {
            let why = Self.tooLong("the stream's name", name.utf8.count)
            return [
                try status(
                    streamID, level: "error",
                    code: isPublish ? "NetStream.Publish.BadName" : "NetStream.Play.Failed", why),
                .close(reason: why),
            ]
        }
        let (key, query) = RTMPURL.splitQuery(name)
        let request = StreamRequest(
            messageStreamID: streamID, application: application, streamKey: key, query: query,
            transactionID: command.transactionID)
        return [isPublish ? .publishRequested(request) : .playRequested(request)]
    }

    private static func tooLong(_ what: String, _ bytes: Int) -> String {
        "\(what) has \(bytes) bytes; at most \(nameLimit) are taken"
    }

    /// Returns the answer to a `connect` that the server does not accept.
    public func rejectConnection(
        _ command: Command, _ why: String
    ) throws(RTMPError) -> ByteBuffer {
        try connectionError(command, why)
    }

    /// Refuses to connect; the answer repeats nothing that the peer sent.
    private func refuseConnection(
        _ command: Command, _ why: String
    ) throws(RTMPError) -> [Action] {
        [.write(try connectionError(command, why)), .close(reason: why)]
    }

    private func connectionError(
        _ command: Command, _ why: String
    ) throws(RTMPError) -> ByteBuffer {
        let information: [AMFValue.Property] = [
            .init("level", .string("error")),
            .init("code", .string("NetConnection.Connect.Rejected")),
            .init("description", .string(why)),
        ]
        let reply = Command(
            "_error", transactionID: command.transactionID, [.null, .object(information)])
        return try encode(reply.message())
    }

    private mutating func connect(_ command: Command) throws(RTMPError) -> [Action] {
        let object = command.arguments.first ?? .null
        var application = object["app"]?.string ?? ""
        guard application.utf8.count <= Self.nameLimit else {
            return try refuseConnection(
                command, Self.tooLong("the application's name", application.utf8.count))
        }
        application = RTMPURL.splitQuery(application).key
        while application.last == "/" { application.removeLast() }
        var information: [AMFValue.Property] = [
            .init("level", .string("status")),
            .init("code", .string("NetConnection.Connect.Success")),
            .init("description", .string("Connection succeeded.")),
            .init("objectEncoding", .number(object["objectEncoding"]?.number ?? 0)),
        ]
        // The codecs that Enhanced RTMP v2 offers are relayed as they are, so all of them are
        // accepted.
        for name in ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap"] {
            guard let offered = object[name] else { continue }
            var encoded = ByteBuffer()
            AMF0.write(offered, into: &encoded)
            guard encoded.readableBytes <= Self.nameLimit else {
                return try refuseConnection(command, Self.tooLong(name, encoded.readableBytes))
            }
            information.append(.init(name, offered))
        }
        let properties: [AMFValue.Property] = [
            .init("fmsVer", .string("FMS/3,0,1,123")), .init("capabilities", .number(31)),
        ]
        let reply = Command(
            "_result", transactionID: command.transactionID,
            [.object(properties), .object(information)])
        state = .connected(application: application)
        var bytes = ByteBuffer()
        writer.write(
            .windowAcknowledgementSize(configuration.windowAcknowledgementSize), into: &bytes)
        writer.write(
            .setPeerBandwidth(configuration.windowAcknowledgementSize, limitType: 2), into: &bytes)
        var sender = writer
        sender.chunkSize = configuration.chunkSize
        writer.write(.setChunkSize(UInt32(sender.chunkSize)), into: &bytes)
        writer = sender
        try writer.write(reply.message(), into: &bytes)
        return [.write(bytes)]
    }

    private mutating func pause(
        _ command: Command, _ streamID: UInt32
    ) throws(RTMPError) -> [Action] {
        guard roles[streamID] == .playing else { return [] }
        let paused = command.arguments.dropFirst().first?.boolean ?? true
        let code = paused ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify"
        return [.pause(paused), try status(streamID, code: code, "live")]
    }

    private mutating func end(
        _ command: Command, _ streamID: UInt32
    ) throws(RTMPError) -> [Action] {
        var ended = streamID
        if command.name == "deleteStream", let id = command.arguments.dropFirst().first?.number,
            id >= 1, id <= Double(UInt32.max)
        {
            ended = UInt32(id)
        }
        if command.name == "FCUnpublish" {
            guard let publishing = roles.first(where: { $0.value == .publishing })?.key else {
                return [try result(command, .undefined)]
            }
            ended = publishing
        }
        guard let role = roles.removeValue(forKey: ended) else { return [] }
        var actions: [Action] = [.streamEnded(messageStreamID: ended)]
        if role == .publishing {
            actions.append(
                try status(
                    ended, code: "NetStream.Unpublish.Success", "Stream is unpublished."))
        }
        return actions
    }

    /// Returns the answer that lets a publisher send or a player receive.
    public mutating func acceptPublish(_ request: StreamRequest) throws(RTMPError) -> ByteBuffer {
        roles[request.messageStreamID] = .publishing
        var bytes = ByteBuffer()
        writer.write(.streamBegin(request.messageStreamID), into: &bytes)
        let started = statusMessage(
            request.messageStreamID, code: "NetStream.Publish.Start",
            "\(request.streamKey) is now published.")
        try writer.write(started, into: &bytes)
        return bytes
    }

    public mutating func acceptPlay(_ request: StreamRequest) throws(RTMPError) -> ByteBuffer {
        roles[request.messageStreamID] = .playing
        var bytes = ByteBuffer()
        writer.write(.streamBegin(request.messageStreamID), into: &bytes)
        for (code, text) in [
            ("NetStream.Play.Reset", "Playing and resetting \(request.streamKey)."),
            ("NetStream.Play.Start", "Started playing \(request.streamKey)."),
        ] {
            let message = statusMessage(request.messageStreamID, code: code, text)
            try writer.write(message, into: &bytes)
        }
        return bytes
    }

    /// Returns a refusal, for example `NetStream.Publish.BadName`. The caller closes the connection
    /// afterwards.
    public func reject(
        _ request: StreamRequest, code: String, _ description: String
    ) throws(RTMPError) -> ByteBuffer {
        try encode(
            statusMessage(request.messageStreamID, level: "error", code: code, description))
    }

    /// Returns the message that announces to a player that the publisher is gone.
    public func playEnded(messageStreamID: UInt32) throws(RTMPError) -> ByteBuffer {
        var bytes = ByteBuffer()
        writer.write(.streamEOF(messageStreamID), into: &bytes)
        let message = statusMessage(
            messageStreamID, code: "NetStream.Play.UnpublishNotify", "The stream has ended.")
        try writer.write(message, into: &bytes)
        return bytes
    }

    public func ping(_ milliseconds: UInt32) -> ByteBuffer { encode(.pingRequest(milliseconds)) }

    private func status(
        _ streamID: UInt32, level: String = "status", code: String, _ description: String
    ) throws(RTMPError) -> Action {
        .write(try encode(statusMessage(streamID, level: level, code: code, description)))
    }

    private func statusMessage(
        _ streamID: UInt32, level: String = "status", code: String, _ description: String
    ) -> Message {
        Command(
            "onStatus", transactionID: 0,
            [
                .null,
                .object([
                    .init("level", .string(level)), .init("code", .string(code)),
                    .init("description", .string(description)),
                ]),
            ]
        ).message(chunkStreamID: 5, messageStreamID: streamID)
    }

    private func result(_ command: Command, _ value: AMFValue) throws(RTMPError) -> Action {
        let reply = Command("_result", transactionID: command.transactionID, [.null, value])
        return .write(try encode(reply.message()))
    }

    private func encode(_ control: ControlMessage) -> ByteBuffer {
        var bytes = ByteBuffer()
        writer.write(control, into: &bytes)
        return bytes
    }

    private func encode(_ message: Message) throws(RTMPError) -> ByteBuffer {
        var bytes = ByteBuffer()
        try writer.write(message, into: &bytes)
        return bytes
    }
}
