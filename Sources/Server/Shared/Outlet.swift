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
/// The channel gets a few buffers at a time, and the next ones when it has sent them. Its queue keeps
/// the largest room that it ever needed, and would otherwise keep that of a join burst for as long as
/// the connection lasts.
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
    /// A buffer that waits for its turn in the channel, and the promise of its write.
    private struct Waiting {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    /// Number of writes that are not finished, in the channel or before it.
    private var pending = 0
    /// Bytes of replies among them, that is of everything but media.
    private var pendingReplyBytes = 0
    /// Number of them in the channel.
    private var inChannel = 0
    /// The others, in order, and the number of their bytes. Something is in the channel as long as
    /// there are any.
    private var waiting = CircularBuffer<Waiting>(initialCapacity: 1)
    private var waitingBytes = 0
    /// Whether the unsent bytes were above the high-water mark and have not been below the low one
    /// since.
    private var isFull = false
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
    /// Number of writes in the channel beyond which others wait. The channel's queue has room for 16
    /// at first.
    private static let channelLimit = 12

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

    /// Whether the bytes that are not sent are below the high-water mark.
    var isWritable: Bool {
        if let line = activeLine {
            let (bytes, writes) = (line.queuedBytes, line.queuedWrites)
            compare(bytes, low: lineMarks.low, high: lineMarks.high)
            return writes == 0 || writes < Self.pendingLimit && !isFull
        }
        guard pending > 0, let context else {
            isFull = false
            return true
        }
        let hasRoom = pending < Self.pendingLimit && context.channel.isWritable
        // The channel does not know what waits for it.
        guard isFull || waitingBytes > 0,
            let marks = try? context.channel.syncOptions?.getOption(.writeBufferWaterMark)
        else { return hasRoom }
        compare(channelBytes + waitingBytes, low: marks.low, high: marks.high)
        return hasRoom && !isFull
    }

    /// Judges the number of unsent bytes by the low-water mark and the high one.
    private func compare(_ bytes: Int, low: Int, high: Int) {
        isFull = bytes > (isFull ? low : high)
    }

    /// Bytes that wait in the channel.
    private var channelBytes: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Bytes that are not sent, with the memory that it takes to keep them.
    var queuedBytes: Int {
        if let line = activeLine {
            return line.queuedBytes + line.queuedWrites * Self.writeOverhead
        }
        guard pending > 0, context != nil else { return 0 }
        return channelBytes + waitingBytes + pending * Self.writeOverhead
    }

    /// Hands a buffer to the channel without flushing, or lets it wait for its turn.
    private func queue(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        pending += 1
        guard waiting.isEmpty, inChannel < Self.channelLimit else {
            waiting.append(Waiting(bytes: bytes, promise: promise))
            waitingBytes += bytes.readableBytes
            return
        }
        inChannel += 1
        context.write(NIOAny(bytes), promise: finishing(1, promise))
    }

    /// Returns the promise of the last of `count` writes in the channel, with which all of them count
    /// as finished.
    private func finishing(
        _ count: Int, _ promise: EventLoopPromise<Void>?
    ) -> EventLoopPromise<Void> {
        let promise = promise ?? eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        promise.futureResult.whenComplete { result in
            let outlet = bound.value
            outlet.pending -= count
            outlet.inChannel -= count
            switch result {
            case .success: outlet.feed()
            case .failure: outlet.failWaiting()
            }
        }
        return promise
    }

    /// Hands the next buffers to the channel if it has sent all that it had.
    private func feed() {
        guard inChannel == 0, !waiting.isEmpty, let context else { return }
        inChannel = min(waiting.count, Self.channelLimit)
        let count = inChannel
        for number in 1...count {
            // A write that fails may end the connection, and then nothing waits any more.
            guard let next = waiting.popFirst() else { return }
            waitingBytes -= next.bytes.readableBytes
            context.write(
                NIOAny(next.bytes),
                promise: number < count ? next.promise : finishing(count, next.promise))
        }
        if waiting.isEmpty { waiting = CircularBuffer(initialCapacity: 1) }
        context.flush()
    }

    /// Drops what waits for the channel, because nothing can be sent any more.
    private func failWaiting() {
        let dropped = waiting
        waiting = CircularBuffer(initialCapacity: 1)
        waitingBytes = 0
        pending -= dropped.count
        for one in dropped { one.promise?.fail(ChannelError.ioOnClosedChannel) }
    }

    /// Queues bytes without flushing.
    ///
    /// - Parameter mark: Delivery that is measured; nil = the delivery is not.
    func write(_ bytes: ByteBuffer, mark: DeliveryMark? = nil) {
        guard bytes.readableBytes > 0, !isClosed, context != nil else { return }
        sentBytes += bytes.readableBytes
        if let line = activeLine { return line.send(bytes, mark: mark) }
        guard var begun = mark else { return queue(bytes) }
        begun.begin()
        let promise = eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { [begun] result in
            if case .success = result { begun.finish() }
        }
        queue(bytes, promise)
    }

    /// Queues buffers without flushing.
    func write(_ buffers: [ByteBuffer]) {
        guard !isClosed, context != nil else { return }
        let filled = buffers.filter { $0.readableBytes > 0 }
        sentBytes += filled.reduce(0) { $0 + $1.readableBytes }
        if let line = activeLine { return line.send(filled) }
        for bytes in filled { queue(bytes) }
    }

    /// Queues a reply without flushing. Returns false if the peer has left too many replies unread
    /// and is to be cut, because it could otherwise go on to send requests.
    func writeReply(_ bytes: ByteBuffer) -> Bool {
        guard bytes.readableBytes > 0, !isClosed, context != nil else { return true }
        if let line = activeLine {
            line.send(bytes, isReply: true)
            let waiting = line.queuedReplyBytes
            // Many requests may have come in one read, so bytes that only wait for the thread have
            // a larger limit.
            return waiting
                <= (line.isBlocked
                    ? Self.replyByteLimit : Self.busyThreadLimit * Self.replyByteLimit)
        }
        let count = bytes.readableBytes
        pendingReplyBytes += count
        let promise = eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        promise.futureResult.whenComplete { _ in bound.value.pendingReplyBytes -= count }
        queue(bytes, promise)
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
        guard !isClosed, context != nil else {
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
        if body.readableBytes > 0 { queue(head) }
        queue(body.readableBytes > 0 ? body : head, promise)
        flush()
        return promise.futureResult
    }

    /// Closes the connection at once, whatever is queued.
    func cut() {
        isClosed = true
        context?.close(promise: nil)
        failWaiting()
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
            let promise = eventLoop.makePromise(of: Void.self)
            promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
            queue(ByteBuffer(), promise)
            flush()
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
        failWaiting()
    }
}
