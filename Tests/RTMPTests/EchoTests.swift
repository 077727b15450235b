import NIOCore
import SimulationKernel
import Testing

@testable import RTMP

/// Replies that repeat what a peer sent are bounded, and never end the process.
@Suite struct EchoTests {
    private let limit = ServerSessionStateMachine.nameLimit

    private func connected() throws -> ServerSessionStateMachine {
        var session = ServerSessionStateMachine()
        let object = AMFValue.object([.init("app", .string("live"))])
        _ = try session.receive(Command("connect", transactionID: 1, [object]).message())
        return session
    }

    private func commands(
        _ actions: [ServerSessionStateMachine.Action], chunkSize: UInt32 = 65536
    ) throws -> [Command] {
        var commands: [Command] = []
        for case .write(let bytes) in actions {
            var reader = ChunkReader()
            var all = ByteBuffer()
            ChunkWriter().write(.setChunkSize(chunkSize), into: &all)
            all.writeImmutableBuffer(bytes)
            reader.append(all)
            while let message = try reader.next() {
                if message.type == .commandAMF0 { commands.append(try Command(message)) }
            }
        }
        return commands
    }

    private func isClosed(_ actions: [ServerSessionStateMachine.Action]) -> Bool {
        if case .close? = actions.last { true } else { false }
    }

    @Test(arguments: ["publish", "play"]) func aLongNameIsRefusedInWords(name: String) throws {
        for length in [limit, limit + 1, 5_700_000] {
            var session = try connected()
            let text = String(repeating: "n", count: length)
            let actions = try session.receive(
                Command(name, transactionID: 3, [.null, .string(text)])
                    .message(messageStreamID: 1))
            guard length > limit else {
                #expect(actions.count == 1 && !isClosed(actions))
                continue
            }
            #expect(isClosed(actions))
            let reply = try #require(try commands(actions).first)
            #expect(reply.arguments.last?["level"] == .string("error"))
            #expect(reply.arguments.last?["description"]?.string?.contains("at most 1024") == true)
        }
    }

    @Test(arguments: ["app", "fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap"])
    func aLongValueOfConnectIsRefusedInWords(property: String) throws {
        let values: [AMFValue] = [
            .string(String(repeating: "A", count: 0xFF_FF00)),
            .strictArray((0..<200).map { _ in .number(1) }),
            .object([.init(String(repeating: "k", count: 2000), .null)]),
        ]
        for value in property == "app" ? [values[0]] : values {
            var session = ServerSessionStateMachine()
            var payload = ByteBuffer()
            for part in [.string("connect"), .number(1), .object([.init(property, value)])]
                as [AMFValue]
            { AMF0.write(part, into: &payload) }
            let actions = try session.receive(
                Message(chunkStreamID: 3, type: .commandAMF0, payload: payload))
            #expect(isClosed(actions))
            let reply = try #require(try commands(actions, chunkSize: 128).first)
            #expect(reply.name == "_error")
            #expect(reply.arguments.last?["code"]?.string == "NetConnection.Connect.Rejected")
        }
    }

    @Test func theListOfCodecsIsRepeated() throws {
        var session = ServerSessionStateMachine()
        let list = AMFValue.strictArray([.string("hvc1"), .string("av01")])
        let object = AMFValue.object([.init("app", .string("live")), .init("fourCcList", list)])
        let actions = try session.receive(
            Command("connect", transactionID: 1, [object]).message())
        #expect(try commands(actions, chunkSize: 128).last?.arguments.last?["fourCcList"] == list)
    }

    /// Bytes that are not UTF-8 would become three bytes each.
    @Test func textNeverGrows() throws {
        for bytes in [[0xFF, 0x41, 0xFE], [0xC3, 0xBC], [0xE2, 0x98], [0x80, 0x80, 0x80]]
            as [[UInt8]]
        {
            var amf0 = ByteBuffer(bytes: [2, 0, UInt8(bytes.count)] + bytes)
            let text = try #require(try AMF0.read(&amf0).string)
            #expect(text.utf8.count <= bytes.count)
            var amf3 = ByteBuffer(bytes: [6, UInt8(bytes.count << 1 | 1)] + bytes)
            #expect(try AMF3.read(&amf3).string == text)
        }
        var valid = ByteBuffer(bytes: [2, 0, 2, 0xC3, 0xBC])
        #expect(try AMF0.read(&valid) == .string("ü"))
    }

    @Test func whatDoesNotFitIsAnError() throws {
        let writer = ChunkWriter(chunkSize: -1)
        #expect(writer.chunkSize == 1)
        var bytes = ByteBuffer()
        let long = ByteBuffer(repeating: 0, count: 0x100_0000)
        #expect(throws: RTMPError.self) {
            try writer.write(Message(chunkStreamID: 3, type: .audio, payload: long), into: &bytes)
        }
        for id in [0, 1, 65600] as [UInt32] {
            #expect(throws: RTMPError.self) {
                try writer.write(
                    Message(chunkStreamID: id, type: .audio, payload: ByteBuffer()), into: &bytes)
            }
        }
        #expect(bytes.readableBytes == 0)
    }

    /// Any command with any values gets a small reply.
    @Test func repliesToAnythingAreSmall() throws {
        let names = [
            "connect", "createStream", "publish", "play", "pause", "deleteStream", "FCPublish",
            "FCUnpublish", "releaseStream", "getStreamLength", "other",
        ]
        for seed in 0..<300 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var session = ServerSessionStateMachine()
            for _ in 0..<12 {
                let command = Command(
                    names.randomElement(using: &random) ?? "", transactionID: 1,
                    (0..<3).map { _ in value(&random, depth: 0) })
                guard
                    let actions = try? session.receive(
                        command.message(messageStreamID: UInt32.random(in: 0...3, using: &random)))
                else { continue }
                for case .write(let bytes) in actions {
                    #expect(bytes.readableBytes < 8 * limit, "seed \(seed), \(command.name)")
                }
            }
        }
    }

    private func value(_ random: inout SeededGenerator, depth: Int) -> AMFValue {
        switch Int.random(in: 0..<(depth > 2 ? 5 : 8), using: &random) {
        case 0: return .null
        case 1: return .number(Double(bitPattern: random.next()))
        case 2: return .boolean(true)
        case 3, 4:
            let length = [0, 3, 900, 1100, 70_000].randomElement(using: &random) ?? 0
            return .string(String(repeating: "x", count: length))
        case 5: return .strictArray((0..<3).map { _ in value(&random, depth: depth + 1) })
        case 6: return .byteArray([UInt8](repeating: 1, count: 2000))
        default:
            let names = ["app", "fourCcList", "objectEncoding", "videoFourCcInfoMap", "z"]
            return .object(
                names.map { .init($0, value(&random, depth: depth + 1)) })
        }
    }
}
