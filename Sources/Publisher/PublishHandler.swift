import Glibc
import NIOCore
import NIOSSL
import RTMP
import Sockets

/// The protocol side of one publishing connection: handshake, session, then frames.
///
/// Frames go straight into the socket while nothing waits in the channel. What the socket does not
/// take, and everything after it, goes through the channel until the channel has drained; with TLS,
/// everything goes through the channel.
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
    /// Copy of the connection's writer of media. It is kept here because reading it from the
    /// connection costs as much as writing an audio frame.
    private var writer = ChunkWriter()
    /// Whether TLS is between this handler and the socket.
    private let isSecure: Bool
    /// Socket for direct sends; nil before the connection, after it and with TLS.
    private var socket: NIOBSDSocket.Handle?
    /// Number of writes that the channel got while direct sends were possible, and has not finished.
    private var pending = 0
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
        isSecure = url.isSecure
        self.started = started
        self.onClose = onClose
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        if !isSecure {
            socket = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { $0 }
        }
        write(connection.opening)
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        // The descriptor may belong to another connection by now.
        socket = nil
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
        case .write(let bytes): write(bytes)
        case .started(let id):
            writer = connection.mediaWriter
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
        socket = nil
        context?.close(promise: nil)
    }

    /// Closes the connection without a word to the server.
    func breakOff() {
        fail(PublisherError(description: "the publisher was to be gone", isFinal: false))
    }

    /// Whether `send` gives bytes to the socket itself, because none wait in the channel.
    var isDirect: Bool { socket != nil && pending == 0 }

    /// Number of bytes that wait for the socket.
    var queuedBytes: Int {
        // Without a write that waits, the channel need not be asked.
        guard !isDirect else { return 0 }
        guard let channel = context?.channel, !channel.isWritable else { return 0 }
        return (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Adds one media or data message to the bytes of the next `send`.
    /// - Returns: Offset of the payload's first byte from the reader index of `batch`. The payload
    ///   is contiguous up to its end or the chunk size. Nil if there is no stream, or if the message
    ///   is longer than RTMP allows; nothing has been added then.
    func add(
        _ type: MessageType, timestamp: UInt32, payload: ByteBuffer, to batch: inout ByteBuffer
    ) -> Int? {
        guard case .running(let id) = phase else { return nil }
        let chunkStream: UInt32 = type == .audio ? 4 : type == .video ? 6 : 5
        let message = Message(
            chunkStreamID: chunkStream, timestamp: timestamp, type: type, messageStreamID: id,
            payload: payload)
        let place = batch.readableBytes + ChunkWriter.headerLength(message)
        do {
            try writer.write(message, into: &batch)
        } catch {
            return nil
        }
        return place
    }

    /// Hands whole messages to the socket at once, and what the socket does not take to the channel.
    func send(_ batch: ByteBuffer) {
        guard batch.readableBytes > 0, context != nil, case .running = phase else { return }
        batch.withUnsafeReadableBytes { bytes in
            var sent = 0
            if pending == 0, let socket {
                let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
                // If it fails, the channel's attempt says why.
                sent = max(0, Glibc.send(socket, bytes.baseAddress, bytes.count, flags))
            }
            guard sent < bytes.count else { return }
            // The caller uses the memory of its batch again, so the channel gets a copy.
            write(ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: bytes[sent...])))
        }
    }

    /// Hands bytes to the channel. All bytes that `send` does not give to the socket have to pass
    /// through this function, or bytes would overtake each other.
    private func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        guard socket != nil else {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            return
        }
        pending += 1
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in bound.value.pending -= 1 }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }

    /// Ends the publication, and closes the connection once the last message has been sent.
    func finish() {
        guard let context else { return }
        let channel = context.channel
        phase = .closed
        socket = nil
        reason = PublisherError(description: "finished", isFinal: true)
        let goodbye = (try? connection.close()) ?? ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(goodbye)).whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}
