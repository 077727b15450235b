import Logging
import NIOCore
import RTMP
import Testing

@testable import Server

/// An RTMP client; the test determines its every step.
final class RTMPPeer {
    let socket: TCPSocket
    private var reader = ChunkReader()
    var writer = ChunkWriter()
    private(set) var messageStreamID: UInt32 = 0
    /// Whether the peer answers pings.
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

    /// Returns the next message; nil if the server has closed.
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

    /// Reads the bytes that are there without waiting. Returns false if the server has closed.
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

    /// Returns the messages that are there without waiting; nil if the server has closed.
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

    /// Returns the next command of that name; nil if the server has closed.
    func command(_ name: String) async throws -> Command? {
        while let message = try await next() {
            guard message.type == .commandAMF0 else { continue }
            let command = try Command(message)
            if command.name == name { return command }
        }
        return nil
    }

    /// Returns the next onStatus, its code and its description; nil if the server has closed.
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

    /// Requests to publish; returns the status.
    @discardableResult
    func publish(_ name: String) async throws -> (code: String, description: String) {
        try await open()
        let command = Command("publish", transactionID: 3, [.null, .string(name), .string("live")])
        try await send(command.message(messageStreamID: messageStreamID))
        return try #require(try await status())
    }

    /// Requests to play; returns the status after `Play.Reset`.
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

    /// Returns the next audio, video or data message; nil if the server has closed or the stream
    /// ended.
    func media() async throws -> Message? {
        while let message = try await next() {
            if message.type.isMedia { return message }
            if message.type == .commandAMF0 { return nil }
        }
        return nil
    }

    /// Returns the media up to the video frame `number`.
    func media(upToVideo number: Int) async throws -> [Message] {
        var all: [Message] = []
        while let message = try await media() {
            all.append(message)
            if message.videoNumber == number { return all }
        }
        Issue.record("the stream ended before frame \(number)")
        return all
    }

    /// Ends a publication as an encoder does that closes it in order.
    func unpublish(_ name: String) async throws {
        try await send(Command("FCUnpublish", transactionID: 4, [.null, .string(name)]).message())
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs a server on free ports for the time of `body`.
func withServer(
    _ configure: (inout ServerConfiguration) -> Void = { _ in },
    _ body: (RelayServer) async throws -> Void
) async throws {
    var configuration = ServerConfiguration()
    configuration.rtmpPort = 0
    configuration.httpPort = 0
    configure(&configuration)
    let server = try await RelayServer.start(configuration, logger: quiet)
    do {
        try await body(server)
    } catch {
        try? await server.stop()
        throw error
    }
    try await server.stop()
}

extension RelayServer {
    func stream(_ name: String = "live/a") async throws -> ServerStatus.Stream? {
        try await status().streams.first { $0.name == name }
    }
}
