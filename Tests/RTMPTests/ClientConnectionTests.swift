import NIOCore
import Testing

@testable import RTMP

/// A server's handshake and session, which answer a client connection byte for byte.
private struct Server {
    var handshake: ServerHandshake? = ServerHandshake()
    var session = ServerSessionStateMachine()
    var reader = ChunkReader()
    var requests: [ServerSessionStateMachine.StreamRequest] = []
    var random = SystemRandomNumberGenerator()

    /// - Returns: what the server answers.
    mutating func receive(_ bytes: ByteBuffer) throws -> ByteBuffer {
        var answer = ByteBuffer()
        var bytes = bytes
        if handshake != nil {
            switch try handshake?.receive(bytes, using: &random) {
            case .pending(let reply): return reply
            case .done(let reply, let rest):
                handshake = nil
                answer.writeImmutableBuffer(reply)
                bytes = rest
            case nil: break
            }
        }
        reader.append(bytes)
        while let message = try reader.next() {
            for action in try session.receive(message) {
                switch action {
                case .write(let bytes): answer.writeImmutableBuffer(bytes)
                case .publishRequested(let request):
                    requests.append(request)
                    answer.writeImmutableBuffer(try session.acceptPublish(request))
                case .playRequested(let request):
                    requests.append(request)
                    answer.writeImmutableBuffer(try session.acceptPlay(request))
                default: break
                }
            }
        }
        return answer
    }
}

@Suite struct ClientConnectionTests {
    private typealias Event = RTMPClientConnection.Event

    /// Joins a client and a server until neither has anything to say; the client reads portions of
    /// `portion` bytes. Returns the client's events apart from writes.
    private func join(
        _ client: inout RTMPClientConnection, _ server: inout Server, portion: Int = .max
    ) throws -> [Event] {
        var random = SystemRandomNumberGenerator()
        var events: [Event] = []
        var toServer = client.opening
        while toServer.readableBytes > 0 {
            var answer = try server.receive(toServer)
            toServer = ByteBuffer()
            while answer.readableBytes > 0 {
                let part = answer.readSlice(length: min(portion, answer.readableBytes))
                try client.append(try #require(part), using: &random)
                while let event = try client.next() {
                    if case .write(let bytes) = event {
                        toServer.writeImmutableBuffer(bytes)
                    } else {
                        events.append(event)
                    }
                }
            }
        }
        return events
    }

    private func client(
        _ purpose: ClientSessionStateMachine.Purpose, mode: ClientHandshake.Mode = .complex
    ) throws -> RTMPClientConnection {
        var random = SystemRandomNumberGenerator()
        return RTMPClientConnection(
            url: try RTMPURL("rtmp://h/live/x"), purpose: purpose, mode: mode, agent: "test",
            using: &random)
    }

    /// However the bytes are cut, the events are the same.
    @Test(arguments: [1, 7, 1536, .max], [ClientHandshake.Mode.simple, .complex])
    func aPublicationStarts(portion: Int, mode: ClientHandshake.Mode) throws {
        var client = try client(.publish, mode: mode)
        #expect(client.isInHandshake)
        var server = Server()
        #expect(
            try join(&client, &server, portion: portion) == [.started(messageStreamID: 1)])
        #expect(!client.isInHandshake)
        #expect(server.requests.map(\.streamKey) == ["x"])
    }

    @Test func mediaComesAsItWasSent() throws {
        var client = try client(.play(bufferMilliseconds: 500))
        var server = Server()
        // The server tells of its reset and its start; metadata and media follow.
        #expect(try join(&client, &server).contains(.started(messageStreamID: 1)))
        var random = SystemRandomNumberGenerator()
        var bytes = ByteBuffer()
        var sender = ChunkWriter()
        sender.chunkSize = 65536
        let types: [MessageType] = [.video, .audio, .dataAMF0, .aggregate]
        for type in types {
            try sender.write(
                Message(
                    chunkStreamID: 6, timestamp: 9, type: type, messageStreamID: 1,
                    payload: ByteBuffer(repeating: 7, count: 3000)), into: &bytes)
        }
        try client.append(bytes, using: &random)
        for type in types {
            guard case .media(let message)? = try client.next() else {
                Issue.record("no \(type)")
                return
            }
            #expect(message.type == type && message.payload.readableBytes == 3000)
        }
        #expect(try client.next() == nil)
    }

    @Test func aStreamEnds() throws {
        var client = try client(.play(bufferMilliseconds: 500))
        var server = Server()
        _ = try join(&client, &server)
        var random = SystemRandomNumberGenerator()
        try client.append(try server.session.playEnded(messageStreamID: 1), using: &random)
        #expect(try client.next() == .ended(code: "StreamEOF"))
    }

    @Test func aRefusalSaysWhy() throws {
        var client = try client(.publish)
        var server = Server()
        _ = try join(&client, &server)
        let request = try #require(server.requests.first)
        var random = SystemRandomNumberGenerator()
        try client.append(
            try server.session.reject(request, code: "NetStream.Publish.BadName", "taken"),
            using: &random)
        #expect(
            try client.next()
                == .refused(code: "NetStream.Publish.BadName", description: "taken"))
    }

    /// A server's window is kept to, and the bytes behind the handshake count.
    @Test func receivedBytesAreAcknowledged() throws {
        var client = try client(.play(bufferMilliseconds: 500))
        var server = Server()
        _ = try join(&client, &server)
        var random = SystemRandomNumberGenerator()
        var sender = ChunkWriter()
        sender.chunkSize = 65536
        var bytes = ByteBuffer()
        sender.write(.windowAcknowledgementSize(1000), into: &bytes)
        try client.append(bytes, using: &random)
        while try client.next() != nil {}
        bytes.clear()
        try sender.write(
            Message(
                chunkStreamID: 6, type: .video, messageStreamID: 1,
                payload: ByteBuffer(repeating: 0, count: 2000)), into: &bytes)
        try client.append(bytes, using: &random)
        guard case .write(var written)? = try client.next() else {
            Issue.record("no acknowledgement")
            return
        }
        var reader = ChunkReader()
        reader.append(written.readSlice(length: written.readableBytes)!)
        let message = try #require(try reader.next())
        guard case .acknowledgement(let number)? = try ControlMessage(message) else {
            Issue.record("\(message)")
            return
        }
        #expect(number >= 2000)
    }

    @Test func aPeerThatSpeaksNoRTMPIsAnError() throws {
        var client = try client(.publish)
        var random = SystemRandomNumberGenerator()
        #expect(throws: RTMPError.self) {
            try client.append(ByteBuffer(string: "HTTP/1.1 400"), using: &random)
        }
    }

    /// A driver that reads chunks itself has the same answers.
    @Test func oneStepAtATime() throws {
        var client = try client(.play(bufferMilliseconds: 500), mode: .simple)
        var server = Server()
        var random = SystemRandomNumberGenerator()
        let greeting = try server.receive(client.opening)
        let (reply, rest) = try #require(
            try client.receiveHandshake(greeting, using: &random))
        #expect(rest.readableBytes == 0)
        #expect(try client.receiveHandshake(greeting, using: &random) == nil)
        var reader = ChunkReader()
        var toServer = reply
        var isStarted = false
        while toServer.readableBytes > 0 {
            reader.append(try server.receive(toServer))
            toServer = ByteBuffer()
            while let message = try reader.next() {
                for event in try client.receive(message) {
                    if case .write(let bytes) = event { toServer.writeImmutableBuffer(bytes) }
                    if case .started = event { isStarted = true }
                }
            }
        }
        #expect(isStarted)
    }
}
