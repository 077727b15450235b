import HTTPWire
import NIOCore
import RTMP
import SimulationKernel
import Sockets

/// One connection to a sink: handshake, session, and then one stream that is counted and thrown
/// away.
final class SinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case handshake(ServerHandshake)
        case session
        case closed
    }

    /// Longest message of a connection that publishes nothing, in bytes.
    private static let commandBytes = 64 << 10

    private let sink: SinkLoop
    /// Time since which the connection publishes nothing, on CLOCK_MONOTONIC; nil while it
    /// publishes.
    private(set) var idleSince: Int64?
    private var random = SystemRandomNumberGenerator()
    private var phase = Phase.handshake(ServerHandshake())
    private var session = ServerSessionStateMachine()
    private var reader = ChunkReader()
    private var context: ChannelHandlerContext?
    private var publication: (stream: PushedStream, messageStreamID: UInt32)?
    /// Link of a slow connection; nil = the connection is read as fast as possible.
    private var pacer: SinkPacer?
    /// Bytes of unfinished messages at the last count.
    private var heldBytes = 0
    /// Whether the peer is gone; what it had sent is still counted.
    private var isGone = false

    init(_ sink: SinkLoop) {
        self.sink = sink
        idleSince = SinkLoop.now
        reader.messageLimit = Self.commandBytes
    }

    private var isOpen: Bool { if case .closed = phase { false } else { true } }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelInactive(context: ChannelHandlerContext) {
        isGone = true
        if pacer?.isEmpty ?? true { close("the server closed the connection") }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close("the connection failed: \(connectFailure(error))")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if pacer != nil {
            pacer?.append(bytes, at: SinkLoop.now)
        } else {
            take(bytes, arrival: SinkLoop.now)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard isOpen else { return }
        context.flush()
        // A connection with a link is read only while few bytes wait for the link.
        if pacer?.wantsMore ?? false { context.read() }
    }

    /// Passes on the bytes that the link has carried until `now`.
    func advance(at now: Int64) {
        guard isOpen, pacer != nil else { return }
        while isOpen, let part = pacer?.next(at: now) { take(part.bytes, arrival: part.arrival) }
        guard isOpen, let pacer else { return }
        if isGone {
            if pacer.isEmpty { close("the server closed the connection") }
            return
        }
        context?.flush()
        if pacer.wantsMore { context?.read() }
    }

    // MARK: Messages

    private func take(_ bytes: ByteBuffer, arrival: Int64) {
        do {
            switch phase {
            case .handshake(var handshake):
                switch try handshake.receive(bytes, using: &random) {
                case .pending(let reply):
                    phase = .handshake(handshake)
                    write(reply)
                case .done(let reply, let rest):
                    phase = .session
                    write(reply)
                    try receive(rest, arrival)
                }
            case .session: try receive(bytes, arrival)
            case .closed: break
            }
        } catch {
            fail("\(error)")
        }
    }

    private func receive(_ bytes: ByteBuffer, _ arrival: Int64) throws {
        if let acknowledgement = session.received(bytes: bytes.readableBytes) {
            write(acknowledgement)
        }
        publication?.stream.account.receive(bytes: bytes.readableBytes, now: arrival)
        reader.append(bytes)
        while isOpen, let message = try reader.next() { try take(message, arrival) }
        guard isOpen else { return }
        let before = heldBytes
        heldBytes = reader.unfinishedBytes
        if !sink.hold(heldBytes, before: before) {
            sink.refuse("unfinished messages hold too much memory")
            close("unfinished messages of all connections hold too much memory")
        }
    }

    private func take(_ message: Message, _ arrival: Int64) throws {
        guard message.type.isMedia else {
            for action in try session.receive(message) { try perform(action, arrival) }
            return
        }
        guard let publication, publication.messageStreamID == message.messageStreamID else {
            return sink.leaveOut()
        }
        for part in message.type == .aggregate ? try message.split() : [message]
        where part.type == .video || part.type == .audio {
            sink.count(part, of: publication.stream, arrival: arrival)
        }
    }

    private func perform(
        _ action: ServerSessionStateMachine.Action, _ now: Int64
    ) throws {
        switch action {
        case .write(let bytes): write(bytes)
        case .publishRequested(let request): try publish(request, now)
        case .playRequested(let request):
            let why = "a sink plays nothing"
            sink.refuse(why)
            write(try session.reject(request, code: "NetStream.Play.Failed", why))
            close(why)
        case .streamEnded(let id):
            if publication?.messageStreamID == id { endPublication(.orderly) }
        case .pause, .peerIsAlive: break
        case .close(let reason): fail(reason)
        }
    }

    private func publish(
        _ request: ServerSessionStateMachine.StreamRequest, _ now: Int64
    ) throws {
        let answer: SinkLoop.Answer =
            publication == nil
            ? sink.take("\(request.application)/\(request.streamKey)", by: self, at: now)
            : .refused("the connection publishes a stream already")
        switch answer {
        case .refused(let why):
            write(try session.reject(request, code: "NetStream.Publish.Denied", why))
            close(why)
        case .taken(let stream):
            publication = (stream, request.messageStreamID)
            idleSince = nil
            reader.messageLimit = .max
            write(try session.acceptPublish(request))
            if let rate = stream.spec.readRate, pacer == nil { slowDown(to: rate, now) }
        }
    }

    /// From here on, the connection is read as fast as a link of that rate carries bytes.
    private func slowDown(to rate: Bitrate, _ now: Int64) {
        pacer = SinkPacer(rate, now: now)
        guard let channel = context?.channel else { return }
        _ = channel.setOption(.socketOption(.so_rcvbuf), value: SinkPacer.receiveBufferBytes)
        _ = channel.setOption(
            .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: SinkPacer.readBytes))
        _ = channel.setOption(.maxMessagesPerRead, value: 1)
        _ = channel.setOption(.autoRead, value: false)
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context, !isGone, bytes.readableBytes > 0 else { return }
        context.write(wrapOutboundOut(bytes), promise: nil)
        if !context.channel.isWritable { close("it reads no replies") }
    }

    // MARK: End

    private func endPublication(_ end: PushedStream.End) {
        guard let stream = publication?.stream else { return }
        publication = nil
        idleSince = SinkLoop.now
        reader.messageLimit = Self.commandBytes
        stream.end(self, end, now: SinkLoop.now)
    }

    /// Closes the connection; a stream that it publishes is cut off.
    func close(_ reason: String) { end(.cutOff(reason.printable(limit: 1000))) }

    /// Closes the connection because of what the peer sent. Without a stream, which would be cut
    /// off, the sink counts a refusal.
    private func fail(_ reason: String) {
        if publication == nil { sink.refuse(reason.printable(limit: 200)) }
        close(reason)
    }

    /// Closes the connection because its stream comes on another one. A connection whose peer is
    /// gone, and whose bytes still wait for the link, was cut off before.
    func replace() {
        end(isGone ? .cutOff("the server closed the connection") : .replaced)
    }

    private func end(_ end: PushedStream.End) {
        guard isOpen else { return }
        phase = .closed
        endPublication(end)
        _ = sink.hold(0, before: heldBytes)
        heldBytes = 0
        reader = ChunkReader()
        pacer = nil
        sink.remove(self)
        context?.flush()
        context?.close(promise: nil)
    }
}
