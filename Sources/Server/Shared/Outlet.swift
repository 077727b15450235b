import Glibc
import NIOCore
import NIOSSL

/// The way out of one connection: straight into the socket if nothing waits, and otherwise through
/// the channel.
///
/// With thousands of subscribers the send itself is the cost. A direct `send` of the bytes that all
/// of them share saves the channel's bookkeeping. Bytes that the socket does not take at once, and
/// everything after them, go through the channel until it has drained; with TLS, everything goes
/// through the channel. The outlet is bound to the channel's event loop. Every write of the
/// connection must pass through it, or bytes would overtake each other.
///
/// If sender threads write to receivers (`SenderModel`), a receiver's bytes go to its thread from the
/// moment at which nothing waits in the channel any more.
///
/// The context holds the handler, which holds its outlet: `invalidate()` breaks that circle.
final class Outlet {
    /// Context; nil once the channel is gone.
    private var context: ChannelHandlerContext?
    let eventLoop: any EventLoop
    private let socket: NIOBSDSocket.Handle?
    /// Number of writes handed to the channel and not finished.
    private var pending = 0
    /// Bytes of replies among them, that is of everything but media.
    private var pendingReplyBytes = 0
    private var isClosed = false
    /// Number of bytes of media and requests handed to the socket, the channel or a sender thread.
    private(set) var sentBytes = 0
    /// Task that closes the connection if the peer does not read the last bytes.
    private var closing: Scheduled<Void>?
    /// Way through a sender thread; nil if the event loop sends.
    private var line: SenderLine?
    /// Whether the connection's bytes go through `line` already.
    private var usesLine = false
    /// Unsent bytes at which a connection on a sender thread counts as full, and as writable again.
    private var lineMarks = (low: 0, high: 0)
    private var isLineFull = false

    /// Bytes of replies that may wait for a peer; a peer that reads has none waiting.
    static let replyByteLimit = 64 << 10
    /// Multiple of `replyByteLimit` that may wait while the socket takes bytes and the sender thread
    /// has not come to it.
    private static let busyThreadLimit = 16

    init(_ context: ChannelHandlerContext) {
        self.context = context
        eventLoop = context.eventLoop
        // A direct send between TLS's records would not be encrypted.
        let isSecure = Self.isSecure(context)
        socket =
            isSecure
            ? nil
            : try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { $0 }
    }

    /// Whether TLS is between a connection's handler and its socket.
    static func isSecure(_ context: ChannelHandlerContext) -> Bool {
        let operations = context.pipeline.syncOperations
        return (try? operations.handler(type: NIOSSLServerHandler.self)) != nil
            || (try? operations.handler(type: NIOSSLClientHandler.self)) != nil
    }

    /// Bytes of memory that a write takes besides its own bytes, and the number of writes that may
    /// wait.
    static let writeOverhead = 256
    private static let pendingLimit = 4096

    /// The sender thread's side of the connection; nil if the bytes go through the channel.
    private var activeLine: SenderLine? {
        if usesLine { return line }
        guard line != nil, pending == 0 else { return nil }
        usesLine = true
        return line
    }

    /// Lets a sender thread write, from the moment at which nothing waits in the channel. Nothing
    /// changes if a thread does so already: a player that asks for another stream on the same
    /// connection stays on its thread.
    ///
    /// - Parameters:
    ///   - queueByteLimit: Bytes that may wait for the receiver.
    ///   - make: Function that makes the way through a thread, from the socket's descriptor and the
    ///     function that the thread calls when a send fails.
    /// - Returns: Whether a sender thread writes, or will.
    func use(
        queueByteLimit: Int,
        _ make: (NIOBSDSocket.Handle, _ onFailure: @escaping @Sendable () -> Void) -> SenderLine?
    ) -> Bool {
        guard line == nil else { return true }
        guard !isClosed, let context, let socket else { return false }
        let (channel, eventLoop) = (context.channel, eventLoop)
        line = make(socket) { eventLoop.execute { channel.close(promise: nil) } }
        lineMarks = (queueByteLimit / 4, queueByteLimit / 2)
        return line != nil
    }

    /// Whether the channel's queue is below its high-water mark.
    var isWritable: Bool {
        if let line = activeLine {
            let (bytes, writes) = (line.queuedBytes, line.queuedWrites)
            isLineFull = bytes > (isLineFull ? lineMarks.low : lineMarks.high)
            return writes == 0 || writes < Self.pendingLimit && !isLineFull
        }
        return pending == 0 || pending < Self.pendingLimit && context?.channel.isWritable ?? true
    }

    /// Bytes that wait in the channel, with the memory that it takes to keep them.
    var queuedBytes: Int {
        if let line = activeLine {
            return line.queuedBytes + line.queuedWrites * Self.writeOverhead
        }
        guard pending > 0, let context else { return 0 }
        let bytes = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        return bytes + pending * Self.writeOverhead
    }

    /// Queues bytes without flushing.
    ///
    /// - Parameter mark: Delivery that is measured; nil = the delivery is not.
    func write(_ bytes: ByteBuffer, mark: DeliveryMark? = nil) {
        guard bytes.readableBytes > 0, !isClosed, let context else { return }
        if let line = activeLine {
            sentBytes += bytes.readableBytes
            return line.send(bytes, mark: mark)
        }
        pending += 1
        sentBytes += bytes.readableBytes
        let promise = eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        var begun = mark
        begun?.begin()
        promise.futureResult.whenComplete { [begun] result in
            bound.value.pending -= 1
            if case .success = result { begun?.finish() }
        }
        context.write(NIOAny(bytes), promise: promise)
    }

    /// Number of buffers that share a promise. They all count as pending until the last one is
    /// sent, so the number is small beside the least queue limit.
    private static let promisedTogether = 16

    /// Queues buffers without flushing, with one promise for a few of them.
    func write(_ buffers: [ByteBuffer]) {
        if let line = activeLine {
            guard !isClosed else { return }
            let filled = buffers.filter { $0.readableBytes > 0 }
            sentBytes += filled.reduce(0) { $0 + $1.readableBytes }
            return line.send(filled)
        }
        var rest = buffers[...]
        while let last = rest.prefix(Self.promisedTogether).last, !isClosed, let context {
            let some = rest.prefix(Self.promisedTogether)
            rest = rest.dropFirst(some.count)
            pending += some.count
            sentBytes += some.reduce(0) { $0 + $1.readableBytes }
            for bytes in some.dropLast() { context.write(NIOAny(bytes), promise: nil) }
            let promise = eventLoop.makePromise(of: Void.self)
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            let count = some.count
            promise.futureResult.whenComplete { _ in bound.value.pending -= count }
            context.write(NIOAny(last), promise: promise)
        }
    }

    /// Queues a reply without flushing. Returns false if the peer has left too many replies unread
    /// and is to be cut, because it could otherwise go on to send requests.
    func writeReply(_ bytes: ByteBuffer) -> Bool {
        guard bytes.readableBytes > 0, !isClosed, let context else { return true }
        if let line = activeLine {
            line.send(bytes, isReply: true)
            let waiting = line.queuedReplyBytes
            // Many requests may have come in one read, so bytes that only wait for the thread have
            // a larger limit.
            return waiting
                <= (line.isBlocked
                    ? Self.replyByteLimit : Self.busyThreadLimit * Self.replyByteLimit)
        }
        pending += 1
        let count = bytes.readableBytes
        pendingReplyBytes += count
        let promise = eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        promise.futureResult.whenComplete { _ in
            bound.value.pending -= 1
            bound.value.pendingReplyBytes -= count
        }
        context.write(NIOAny(bytes), promise: promise)
        guard pendingReplyBytes > Self.replyByteLimit else { return true }
        // Many requests may have come in one read, so only the bytes that the socket does not take
        // count.
        flush()
        return pendingReplyBytes <= Self.replyByteLimit
    }

    /// Queues a response's head and body and flushes; the future succeeds when the socket has taken
    /// them.
    func writeResponse(_ head: ByteBuffer, _ body: ByteBuffer) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        guard !isClosed, let context else {
            promise.fail(ChannelError.ioOnClosedChannel)
            return promise.futureResult
        }
        if let line = activeLine {
            line.send([head, body].filter { $0.readableBytes > 0 })
            line.afterAll { wasSent in
                if wasSent {
                    promise.succeed(())
                } else {
                    promise.fail(ChannelError.ioOnClosedChannel)
                }
            }
            return promise.futureResult
        }
        pending += 1
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        promise.futureResult.whenComplete { _ in bound.value.pending -= 1 }
        if body.readableBytes > 0 { context.write(NIOAny(head), promise: nil) }
        context.writeAndFlush(
            NIOAny(body.readableBytes > 0 ? body : head), promise: promise)
        return promise.futureResult
    }

    /// Closes the connection at once, whatever is queued.
    func cut() {
        isClosed = true
        context?.close(promise: nil)
    }

    func flush() { context?.flush() }

    /// Turns Nagle's algorithm on or off. With TLS it stays off.
    func mergeSmallWrites(_ merges: Bool) {
        guard !isClosed, let socket else { return }
        var isOff: Int32 = merges ? 0 : 1
        // If it fails, the socket is broken, and the next write says so.
        setsockopt(
            socket, Int32(IPPROTO_TCP), TCP_NODELAY, &isOff, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sets the number of bytes that the socket must hold before it is readable. With TLS any
    /// number is enough.
    func setReadMark(_ bytes: Int) {
        guard !isClosed, let socket, var mark = Int32(exactly: bytes) else { return }
        // If it fails, the socket is broken, and the next read says so.
        setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &mark, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sends bytes at once. `raw` are the readable bytes of `bytes`.
    ///
    /// - Parameter mark: Delivery that is measured; nil = the delivery is not.
    func send(
        _ bytes: ByteBuffer, _ raw: UnsafeRawBufferPointer, mark: DeliveryMark? = nil
    ) {
        if activeLine != nil { return write(bytes, mark: mark) }
        var sent = 0
        var mark = mark
        mark?.begin()
        if pending == 0, !isClosed, let socket {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            sent = max(0, Glibc.send(socket, raw.baseAddress, raw.count, flags))
            sentBytes += sent
            if sent == raw.count {
                mark?.finish()
                return
            }
        }
        var rest = bytes
        rest.moveReaderIndex(forwardBy: sent)
        write(rest, mark: mark)
        flush()
    }

    /// Closes the connection when everything is sent, at the latest after a second.
    func close() {
        guard !isClosed, let context else { return }
        isClosed = true
        let channel = context.channel
        if let line = activeLine {
            // If not everything was sent, the channel is gone, or closes because a send failed. Its
            // event loop may have ended then.
            line.afterAll { wasSent in if wasSent { channel.close(promise: nil) } }
        } else {
            context.writeAndFlush(NIOAny(ByteBuffer())).whenComplete { _ in
                channel.close(promise: nil)
            }
        }
        closing = eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }

    /// Releases the channel, which is gone: its descriptor may belong to another connection by now.
    func invalidate() {
        isClosed = true
        context = nil
        line?.release()
        line = nil
        usesLine = false
        closing?.cancel()
        closing = nil
    }
}
