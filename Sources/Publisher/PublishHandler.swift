import NIOCore
import NIOSSL
import RTMP
import Sockets

/// The protocol side of one publishing connection: handshake, session, then frames.
final class PublishHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case starting
        case running(messageStreamID: UInt32)
        case closed
    }

    private var random = SystemRandomNumberGenerator()
    private var phase = Phase.starting
    private var connection: RTMPClientConnection
    private var context: ChannelHandlerContext?
    /// Completed when the server accepts media; fails if the server refuses or the connection ends.
    private let started: EventLoopPromise<Void>
    private let onClose: (PublisherError) -> Void
    /// Task that gives up if the server never accepts media.
    private var deadline: Scheduled<Void>?
    private var reason = PublisherError(
        description: "the server closed the connection", isFinal: false)

    init(
        url: RTMPURL, chunkSize: Int, started: EventLoopPromise<Void>,
        onClose: @escaping (PublisherError) -> Void
    ) {
        connection = RTMPClientConnection(
            url: url, purpose: .publish, mode: .complex, chunkSize: chunkSize, using: &random)
        self.started = started
        self.onClose = onClose
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(connection.opening), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        deadline?.cancel()
        deadline = nil
        started.fail(reason)
        onClose(reason)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case NIOSSLError.uncleanShutdown = error { return }
        // The connection is not retried, because the server's certificate will not change within
        // seconds.
        let isUntrusted = error is NIOSSLError || error is NIOSSLExtraError
        fail(
            PublisherError(
                description: isUntrusted ? TLSError.explanation(error) : "\(error)",
                isFinal: isUntrusted))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try connection.append(unwrapInboundIn(data), using: &random)
            // Events after the end of the connection do not matter.
            while isOpen, let event = try connection.next() { perform(event) }
        } catch {
            fail(PublisherError(description: "\(error)", isFinal: false))
        }
    }

    private var isOpen: Bool {
        if case .closed = phase { false } else { true }
    }

    private func perform(_ event: RTMPClientConnection.Event) {
        switch event {
        case .write(let bytes): context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        case .started(let id):
            phase = .running(messageStreamID: id)
            deadline?.cancel()
            deadline = nil
            started.succeed()
        // A server sends no media to a publisher.
        case .media: break
        case .refused(let code, let description):
            fail(PublisherError(description: "\(code): \(description)", isFinal: true))
        case .ended(let code):
            fail(
                PublisherError(
                    description: "the server ended the stream (\(code))", isFinal: false))
        }
    }

    /// Closes the connection if the server has not accepted media after `milliseconds`.
    func giveUp(after milliseconds: Int) {
        guard let loop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        deadline = loop.scheduleTask(in: .milliseconds(Int64(milliseconds))) {
            let handler = bound.value
            switch handler.phase {
            case .starting:
                handler.fail(
                    PublisherError(
                        description: "the server did not let us publish in \(milliseconds) ms",
                        isFinal: false))
            case .running, .closed: break
            }
        }
    }

    private func fail(_ error: PublisherError) {
        reason = error
        context?.close(promise: nil)
    }

    /// Closes the connection without a word to the server.
    func breakOff() {
        fail(PublisherError(description: "the publisher was to be gone", isFinal: false))
    }

    /// Number of bytes that wait for the socket.
    var queuedBytes: Int {
        guard let channel = context?.channel, !channel.isWritable else { return 0 }
        return (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Writes one media or data message without flushing. Returns false if there is no stream, or
    /// if the message is longer than RTMP allows.
    func send(_ type: MessageType, timestamp: UInt32, payload: ByteBuffer) -> Bool {
        guard case .running(let id) = phase, let context else { return false }
        let chunkStream: UInt32 = type == .audio ? 4 : type == .video ? 6 : 5
        let message = Message(
            chunkStreamID: chunkStream, timestamp: timestamp, type: type, messageStreamID: id,
            payload: payload)
        guard let bytes = try? connection.encode(message) else { return false }
        context.write(wrapOutboundOut(bytes), promise: nil)
        return true
    }

    func flush() { context?.flush() }

    /// Ends the publication, and closes the connection once the last message has been sent.
    func finish() {
        guard let context else { return }
        let channel = context.channel
        phase = .closed
        reason = PublisherError(description: "finished", isFinal: true)
        let goodbye = (try? connection.close()) ?? ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(goodbye)).whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}
