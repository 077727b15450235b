import NIOCore
import Testing

@testable import RTMP

/// A client session and a server session that are joined without a socket.
private struct Pair {
    var client: ClientSessionStateMachine
    var server = ServerSessionStateMachine()
    var toServer = ChunkReader()
    var toClient = ChunkReader()
    var requests: [ServerSessionStateMachine.Action] = []
    var clientEvents: [ClientSessionStateMachine.Action] = []

    init(_ purpose: ClientSessionStateMachine.Purpose, url: String) throws {
        client = ClientSessionStateMachine(url: try RTMPURL(url), purpose: purpose)
        try feedServer(try client.start())
    }

    mutating func feedServer(_ bytes: ByteBuffer) throws {
        toServer.append(bytes)
        while let message = try toServer.next() {
            for action in try server.receive(message) {
                if case .write(let bytes) = action {
                    try feedClient(bytes)
                } else {
                    requests.append(action)
                }
            }
        }
    }

    mutating func feedClient(_ bytes: ByteBuffer) throws {
        toClient.append(bytes)
        while let message = try toClient.next() {
            for action in try client.receive(message) {
                if case .write(let bytes) = action {
                    try feedServer(bytes)
                } else {
                    clientEvents.append(action)
                }
            }
        }
    }
}

@Suite struct SessionTests {
    @Test func publishWithQuery() throws {
        var pair = try Pair(.publish, url: "rtmp://[::1]:1936/live/a/b?key=x&y=1")
        guard case .publishRequested(let request) = pair.requests.last else {
            Issue.record("no publish request: \(pair.requests)")
            return
        }
        #expect(request.application == "live")
        #expect(request.streamKey == "a/b")
        #expect(request.query == "key=x&y=1")
        try pair.feedClient(pair.server.acceptPublish(request))
        #expect(pair.clientEvents == [.started(messageStreamID: 1)])
        pair.requests = []
        try pair.feedServer(pair.client.close())
        #expect(pair.requests == [.streamEnded(messageStreamID: 1)])
    }

    @Test func playIsRefused() throws {
        var pair = try Pair(.play(bufferMilliseconds: 500), url: "rtmp://h/live/x")
        guard case .playRequested(let request) = pair.requests.last else {
            Issue.record("no play request")
            return
        }
        try pair.feedClient(
            pair.server.reject(request, code: "NetStream.Play.StreamNotFound", "none"))
        #expect(
            pair.clientEvents == [
                .refused(code: "NetStream.Play.StreamNotFound", description: "none")
            ])
    }

    @Test func theEndIsToldToPlayers() throws {
        var pair = try Pair(.play(bufferMilliseconds: 500), url: "rtmp://h/live/x")
        guard case .playRequested(let request) = pair.requests.last else { return }
        try pair.feedClient(pair.server.acceptPlay(request))
        try pair.feedClient(pair.server.playEnded(messageStreamID: 1))
        #expect(pair.clientEvents.first == .started(messageStreamID: 1))
        #expect(pair.clientEvents.dropFirst().first == .ended(code: "StreamEOF"))
    }

    @Test(arguments: [
        "_checkbw", "getStreamLength", "FCSubscribe", "someNewCommand", "releaseStream",
    ])
    func unknownCommandsAreAnsweredNeverFatal(name: String) throws {
        var pair = try Pair(.publish, url: "rtmp://h/live/x")
        let command = Command(name, transactionID: 9, [.null, .string("x")])
        let actions = try pair.server.receive(command.message())
        guard case .write(var bytes) = actions.first, actions.count == 1 else {
            Issue.record("\(name): \(actions)")
            return
        }
        var reader = ChunkReader()
        // The server announced its chunk size in its answer to connect.
        var announce = ByteBuffer()
        ChunkWriter().write(.setChunkSize(65536), into: &announce)
        announce.writeBuffer(&bytes)
        reader.append(announce)
        _ = try reader.next()
        let reply = try Command(try #require(try reader.next()))
        #expect(reply.name == "_result")
        #expect(reply.transactionID == 9)
    }

    /// Neither types that AMF0 reserves nor message types that nobody knows end the session.
    @Test func whatIsUnknownIsSkipped() throws {
        var payload = ByteBuffer()
        AMF0.write(.string("connect"), into: &payload)
        AMF0.write(.number(1), into: &payload)
        payload.writeBytes([3, 0, 3])
        payload.writeString("app")
        AMF0.write(.string("live"), into: &payload)
        payload.writeBytes([0, 1, 0x7A, 0x0E, 1, 2, 3])
        let command = try Command(
            Message(chunkStreamID: 3, type: .commandAMF0, payload: payload))
        #expect(command.arguments.first?["app"] == .string("live"))
        for marker in [4, 14, 18, 0xFF] as [UInt8] {
            var bytes = ByteBuffer()
            AMF0.write(.string("publish"), into: &bytes)
            AMF0.write(.number(3), into: &bytes)
            AMF0.write(.null, into: &bytes)
            AMF0.write(.string("a"), into: &bytes)
            bytes.writeInteger(marker)
            let publish = try Command(
                Message(chunkStreamID: 3, type: .commandAMF0, payload: bytes))
            #expect(publish.arguments == [.null, .string("a")])
        }
        // These are AMF3 values: a marker that is not assigned, and objects with a serialization of
        // their own, alone and within other values.
        let unknown: [[UInt8]] = [
            [0x12], [0xFE, 1, 2], [0x0A, 0x07, 3, 0x43, 9, 9],
            [0x09, 0x03, 0x01, 0x0A, 0x07, 3, 0x43, 9], [0x11, 0x03, 0, 0x06, 3, 0x61, 0x20],
            [0x0A, 0x0B, 1, 3, 0x61, 0x12, 5],
        ]
        for bytes in unknown {
            var rest = ByteBuffer(bytes: bytes)
            #expect(throws: RTMPError.self) { try AMF3.read(&rest) }
            var payload = ByteBuffer(bytes: [0])
            AMF0.write(.string("publish"), into: &payload)
            AMF0.write(.number(3), into: &payload)
            AMF0.write(.null, into: &payload)
            AMF0.write(.string("a"), into: &payload)
            payload.writeInteger(UInt8(17))
            payload.writeBytes(bytes)
            let publish = try Command(
                Message(chunkStreamID: 3, type: .commandAMF3, payload: payload))
            #expect(Array(publish.arguments.prefix(2)) == [.null, .string("a")], "\(bytes)")
        }
        var server = ServerSessionStateMachine()
        for type in [0, 7, 10, 13, 16, 19, 21, 99, 255] as [UInt8] {
            let message = Message(
                chunkStreamID: 3, type: MessageType(rawValue: type),
                payload: ByteBuffer(bytes: [1, 2, 3]))
            #expect(try server.receive(message).isEmpty)
        }
    }

    /// A load viewer skips long messages of unknown types.
    @Test func theCounterSkipsUnknownTypes() throws {
        var bytes = ByteBuffer()
        let writer = ChunkWriter()
        for type in [7, 16, 19, 99] as [UInt8] {
            try writer.write(
                Message(
                    chunkStreamID: 7, type: MessageType(rawValue: type),
                    payload: ByteBuffer(repeating: 1, count: 200_000)), into: &bytes)
            try writer.write(
                Message(chunkStreamID: 6, type: .video, payload: ByteBuffer(bytes: [0x17])),
                into: &bytes)
        }
        var counter = ChunkCounter()
        var others = 0
        let used = try bytes.withUnsafeReadableBytes {
            try counter.consume($0) { _ in others += 1 }
        }
        #expect(used == bytes.readableBytes && counter.videoMessages == 4 && others == 0)
    }

    @Test func acknowledgementsWrapAt32Bits() {
        var window = AcknowledgementWindow(size: 1000, received: (1 << 32) - 500)
        #expect(window.receive(999) == nil)
        #expect(window.receive(1) == 500)
        #expect(window.receive(999) == nil)
        var never = AcknowledgementWindow(size: 0)
        #expect(never.receive(1 << 40) == nil)
    }

    @Test(arguments: [
        (ControlMessage.setChunkSize(4096), [UInt8](arrayLiteral: 0, 0, 16, 0)),
        (.acknowledgement(1), [0, 0, 0, 1]), (.setPeerBandwidth(5, limitType: 2), [0, 0, 0, 5, 2]),
        (.streamBegin(1), [0, 0, 0, 0, 0, 1]), (.pingRequest(7), [0, 6, 0, 0, 0, 7]),
        (.setBufferLength(streamID: 1, milliseconds: 500), [0, 3, 0, 0, 0, 1, 0, 0, 1, 0xF4]),
    ])
    func controlMessages(message: ControlMessage, bytes: [UInt8]) throws {
        #expect(Array(message.message.payload.readableBytesView) == bytes)
        #expect(try ControlMessage(message.message) == message)
        var cut = message.message
        cut.payload = ByteBuffer(bytes: bytes.prefix(1))
        #expect(throws: RTMPError.self) { try ControlMessage(cut) }
    }

    @Test(arguments: [ClientHandshake.Mode.simple, .complex])
    func handshakeInEverySplit(mode: ClientHandshake.Mode) throws {
        var random = SystemRandomNumberGenerator()
        for piece in [1, 7, 1536, 4000] {
            var client = ClientHandshake(mode: mode, using: &random)
            var server = ServerHandshake()
            var fromClient = client.opening
            var fromServer = ByteBuffer()
            var finished = (client: false, server: false)
            while !finished.client || !finished.server {
                if let part = fromClient.readSlice(length: min(piece, fromClient.readableBytes)),
                    part.readableBytes > 0
                {
                    switch try server.receive(part, using: &random) {
                    case .pending(var reply): fromServer.writeBuffer(&reply)
                    case .done(var reply, let rest):
                        fromServer.writeBuffer(&reply)
                        finished.server = true
                        #expect(rest.readableBytes == 0)
                    }
                }
                if !finished.client,
                    let part = fromServer.readSlice(length: min(piece, fromServer.readableBytes)),
                    part.readableBytes > 0,
                    var (c2, _) = try client.receive(part, using: &random)
                {
                    fromClient.writeBuffer(&c2)
                    finished.client = true
                }
            }
            #expect(server.isComplex == (mode == .complex))
            #expect(client.serverSigned == (mode == .complex))
        }
    }

    @Test func wrongHandshakeVersionsAreNamed() {
        var random = SystemRandomNumberGenerator()
        for version in [UInt8(6), 0x47, 0x16] {
            var server = ServerHandshake()
            #expect(throws: RTMPError.self) {
                try server.receive(ByteBuffer(bytes: [version]), using: &random)
            }
        }
    }

    @Test(arguments: [
        ("rtmp://h/live/x", "h", 1935, "live", "x", ""),
        ("rtmp://h:1/a/b/c?d=e?f", "h", 1, "a", "b/c", "d=e?f"),
        ("rtmp://[fe80::1]:2/a/", "fe80::1", 2, "a", "", ""),
        ("RTMP://u:p@h/a/b", "h", 1935, "a", "b", ""),
    ])
    func urls(text: String, host: String, port: Int, app: String, key: String, query: String) throws
    {
        let url = try RTMPURL(text)
        #expect(
            url == RTMPURL(host: host, port: port, application: app, streamKey: key, query: query))
    }

    @Test func secureURLs() throws {
        let url = try RTMPURL("rtmps://h/live/cam?key=1")
        #expect(url.isSecure && url.port == 443)
        #expect(url.tcURL == "rtmps://h/live")
        #expect(try RTMPURL("rtmps://h:1936/live/cam").tcURL == "rtmps://h:1936/live")
    }

    @Test(arguments: [
        "", "h/live", "http://h/a/b", "rtmpt://h/a/b", "rtmp:///a", "rtmp://h", "rtmp://h:0/a",
        "rtmp://[::1/a",
    ])
    func wrongURLs(text: String) {
        #expect(throws: RTMPError.self) { try RTMPURL(text) }
    }
}
