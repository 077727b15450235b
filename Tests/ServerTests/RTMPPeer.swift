import NIOCore
import RTMP
import Testing

@testable import Server

/// An RTMP client that does exactly what a test says.
final class RTMPPeer {
    let socket: TCPSocket
    private var reader = ChunkReader()
    var writer = ChunkWriter()
    private(set) var messageStreamID: UInt32 = 0
    /// Whether pings are answered.
    var answersPings = true
    private(set) var pings = 0

    convenience init(
        _ server: RelayServer, host: String = "127.0.0.1", receiveBuffer: Int32? = nil,
        mode: ClientHandshake.Mode = .simple
    ) async throws {
        try await self.init(
            port: server.rtmpPort, host: host, receiveBuffer: receiveBuffer, mode: mode)
    }

    init(
        port: Int, host: String = "127.0.0.1", receiveBuffer: Int32? = nil,
        mode: ClientHandshake.Mode = .simple
    ) async throws {
        socket = try TCPSocket(host: host, port: port, receiveBuffer: receiveBuffer)
        var random = SystemRandomNumberGenerator()
        var handshake = ClientHandshake(mode: mode, using: &random)
        try await socket.send(handshake.opening)
        while let bytes = try await socket.receive() {
            guard let (c2, rest) = try handshake.receive(bytes, using: &random) else { continue }
            try await socket.send(c2)
            reader.append(rest)
            return
        }
        Issue.record("closed in the handshake")
    }

    @discardableResult
    func send(_ message: Message) async throws -> Bool {
        var bytes = ByteBuffer()
        try writer.write(message, into: &bytes)
        return try await socket.send(bytes)
    }

    /// The next message; nil where the server has closed.
    func next(within limit: Duration = .seconds(30)) async throws -> Message? {
        while true {
            if let message = try reader.next() {
                if case .pingRequest(let time)? = try ControlMessage(message) {
                    pings += 1
                    if answersPings { try await send(ControlMessage.pingResponse(time).message) }
                }
                return message
            }
            guard let bytes = try await socket.receive(within: limit) else { return nil }
            reader.append(bytes)
        }
    }

    /// Reads what is there without waiting. False where the server has closed.
    func pump() async throws -> Bool {
        switch socket.poll() {
        case .closed: return false
        case .nothing: return true
        case .bytes(let bytes):
            reader.append(bytes)
            while let message = try reader.next() {
                guard case .pingRequest(let time)? = try ControlMessage(message) else { continue }
                pings += 1
                if answersPings { try await send(ControlMessage.pingResponse(time).message) }
            }
            return true
        }
    }

    /// Messages that are there without waiting; nil where the server has closed.
    func available() throws -> [Message]? {
        var all: [Message] = []
        while true {
            while let message = try reader.next() { all.append(message) }
            switch socket.poll() {
            case .bytes(let bytes): reader.append(bytes)
            case .nothing: return all
            case .closed: return all.isEmpty ? nil : all
            }
        }
    }

    /// The next command of that name; nil where the server has closed.
    func command(_ name: String) async throws -> Command? {
        while let message = try await next() {
            guard message.type == .commandAMF0 else { continue }
            let command = try Command(message)
            if command.name == name { return command }
        }
        return nil
    }

    /// The next onStatus: its code, its description; nil where the server has closed.
    func status() async throws -> (code: String, description: String)? {
        guard let information = try await command("onStatus")?.arguments.last else { return nil }
        return (information["code"]?.string ?? "", information["description"]?.string ?? "")
    }

    func open(_ application: String = "live") async throws {
        let object = AMFValue.object([.init("app", .string(application))])
        try await send(Command("connect", transactionID: 1, [object]).message())
        _ = try #require(try await command("_result"))
        try await send(Command("createStream", transactionID: 2, [.null]).message())
        let result = try #require(try await command("_result"))
        messageStreamID = UInt32(try #require(result.arguments.last?.number))
    }

    /// Asks to publish; the status that came back.
    @discardableResult
    func publish(_ name: String) async throws -> (code: String, description: String) {
        try await open()
        let command = Command("publish", transactionID: 3, [.null, .string(name), .string("live")])
        try await send(command.message(messageStreamID: messageStreamID))
        return try #require(try await status())
    }

    /// Asks to play; the status that came back, `Play.Reset` aside.
    @discardableResult
    func play(_ name: String) async throws -> (code: String, description: String) {
        try await open()
        let command = Command("play", transactionID: 3, [.null, .string(name)])
        try await send(command.message(messageStreamID: messageStreamID))
        while true {
            let status = try #require(try await status())
            if status.code != "NetStream.Play.Reset" { return status }
        }
    }

    /// The next audio, video or data message; nil where the server has closed or the stream ended.
    func media() async throws -> Message? {
        while let message = try await next() {
            if message.type.isMedia { return message }
            if message.type == .commandAMF0 { return nil }
        }
        return nil
    }

    /// Media up to the video frame `number`.
    func media(upToVideo number: Int) async throws -> [Message] {
        var all: [Message] = []
        while let message = try await media() {
            all.append(message)
            if message.videoNumber == number { return all }
        }
        Issue.record("the stream ended before frame \(number)")
        return all
    }

    /// As the end of a publication by encoders that say goodbye.
    func unpublish(_ name: String) async throws {
        try await send(Command("FCUnpublish", transactionID: 4, [.null, .string(name)]).message())
    }
}

extension RelayServer {
    func stream(_ name: String = "live/a") async throws -> ServerStatus.Stream? {
        try await status().streams.first { $0.name == name }
    }
}
