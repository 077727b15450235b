import Media
import NIOCore
import NIOPosix
import RTMP
import SimulationKernel
import Sockets
import Synchronization
import TestSupport
import Testing

@testable import Publisher

/// Messages that a test's server has received.
private final class Received: Sendable {
    struct State {
        var messages: [Message] = []
        var channel: (any Channel)?
        var problem: String?
    }

    private let state = Mutex(State())

    var messages: [Message] { state.withLock { $0.messages } }
    var problem: String? { state.withLock { $0.problem } }

    func add(_ message: Message) { state.withLock { $0.messages.append(message) } }
    func fail(_ error: any Error) { state.withLock { $0.problem = "\(error)" } }
    func begin(_ channel: any Channel) { state.withLock { $0.channel = channel } }

    /// Lets the server read again.
    func resume() async throws {
        try await state.withLock { $0.channel }?.setOption(.autoRead, value: true).get()
    }
}

/// A server's side of one publication. It stops reading once it has accepted the publication.
private final class HaltingServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var handshake: ServerHandshake? = ServerHandshake()
    private var session = ServerSessionStateMachine()
    private var reader = ChunkReader()
    private var random = SystemRandomNumberGenerator()
    private let received: Received

    init(_ received: Received) { self.received = received }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try receive(unwrapInboundIn(data), context)
        } catch {
            received.fail(error)
            context.close(promise: nil)
        }
        context.flush()
    }

    private func receive(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) throws {
        var bytes = bytes
        if let progress = try handshake?.receive(bytes, using: &random) {
            switch progress {
            case .pending(let reply):
                context.write(wrapOutboundOut(reply), promise: nil)
                return
            case .done(let reply, let rest):
                handshake = nil
                context.write(wrapOutboundOut(reply), promise: nil)
                bytes = rest
            }
        }
        reader.append(bytes)
        while let message = try reader.next() {
            if message.type.isMedia {
                received.add(message)
                continue
            }
            for action in try session.receive(message) { try perform(action, context) }
        }
    }

    private func perform(
        _ action: ServerSessionStateMachine.Action, _ context: ChannelHandlerContext
    ) throws {
        switch action {
        case .write(let bytes): context.write(wrapOutboundOut(bytes), promise: nil)
        case .publishRequested(let request):
            try context.channel.syncOptions?.setOption(.autoRead, value: false)
            received.begin(context.channel)
            let answer = try session.acceptPublish(request)
            context.write(wrapOutboundOut(answer), promise: nil)
        default: break
        }
    }
}

@Suite(.timeLimit(.minutes(2))) struct SlowServerTests {
    private static let spec = SyntheticSpec(
        width: 640, height: 360, framesPerSecond: 25, gopFrames: 10,
        totalBitrate: Bitrate(kilobitsPerSecond: 20_000),
        audioBitrate: Bitrate(kilobitsPerSecond: 64))

    /// The socket fills, so the rest of a message and the messages after it wait in the channel,
    /// and then frames are dropped. Everything that was not dropped arrives in order and whole.
    @Test func whatTheSocketDoesNotTakeFollowsInOrder() async throws {
        let received = Received()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_rcvbuf), value: 262_144)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HaltingServer(received))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        var options = PublisherOptions()
        options.queueByteLimit = 256 << 10
        let pool = try await PublisherPool(
            [
                PublishSpec(
                    url: "rtmp://127.0.0.1:\(port)/live/a", streamID: 3,
                    source: .synthetic(Self.spec))
            ], options: options)
        do {
            try await pool.connect()
            pool.start(atNanoseconds: Clock.monotonicNanoseconds())
            try await eventually("frames are dropped") {
                try await pool.report().streams.contains { $0.framesNotSent > 0 }
            }
            try await received.resume()
            try await eventually("frames come after the gap: \(received.problem ?? "")") {
                let numbers = Self.numbers(received.messages)
                let gap = zip(numbers, numbers.dropFirst()).first { $1 != $0 + 1 }
                guard let (_, next) = gap else { return false }
                return numbers.count { $0 > next } >= 20
            }
            let report = try #require(try await pool.report().streams.first)
            #expect(report.reconnects == 0)
        } catch {
            try? await pool.stop()
            try? await listener.close()
            throw error
        }
        try await pool.stop()
        try await listener.close()
        #expect(received.problem == nil)
        try Self.expectWhole(received.messages)
    }

    /// Returns the numbers of the video frames.
    private static func numbers(_ messages: [Message]) -> [UInt64] {
        messages.compactMap { message in
            guard message.type == .video else { return nil }
            return FrameStamp.find(inVideoPayload: message.payload, nalUnitLengthSize: 4)?
                .frameNumber
        }
    }

    /// Expects that the frames are the source's, with gaps that end at key frames.
    private static func expectWhole(_ messages: [Message]) throws {
        let numbers = Self.numbers(messages)
        for (a, b) in zip(numbers, numbers.dropFirst()) where b != a + 1 {
            #expect(b > a && b % 10 == 0, "after \(a) comes \(b), which is no key frame")
        }
        var source = try SyntheticSource(spec: spec)
        // The first three messages are the metadata and the two codec configurations.
        #expect(messages.prefix(3).map(\.type) == [.dataAMF0, .video, .audio])
        for message in messages.dropFirst(3) {
            let stamp = FrameStamp.find(inVideoPayload: message.payload, nalUnitLengthSize: 4)
            var isFound = false
            // Frames that are missing were dropped.
            while !isFound, var frame = source.next() {
                guard frame.timestamp <= message.timestamp else { break }
                if let stamp { frame.stamp(stamp, nalUnitLengthSize: 4) }
                let type: MessageType = frame.kind == .video ? .video : .audio
                isFound = type == message.type && frame.payload == message.payload
            }
            try #require(isFound, "the message at \(message.timestamp) ms is not the source's")
        }
    }
}
