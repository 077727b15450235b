import Glibc
import NIOCore
import Synchronization

/// One connection's way through a sender thread: an ordered queue of bytes, and a descriptor of the
/// connection's socket that belongs to the thread.
///
/// An event loop hands over bytes and asks for the counters. Everything else belongs to the thread.
/// The descriptor is a duplicate, so that the thread never writes to a descriptor that the channel
/// has closed and that another connection may have by now.
final class SenderLine: @unchecked Sendable {
    /// Bytes to send, or a request for a call when everything before it is sent.
    struct Item: Sendable {
        var bytes: ByteBuffer
        var mark: DeliveryMark?
        var isReply = false
        /// Function that is called once, with whether everything up to here was sent.
        var then: (@Sendable (Bool) -> Void)?
    }

    /// Progress of a line after the thread has worked on it.
    enum Progress {
        case isIdle
        /// The socket takes nothing more for now.
        case isBlocked
    }

    private let thread: SenderThread
    /// Function that is called once when the connection is gone.
    private let onRelease: @Sendable () -> Void
    /// Function that is called when a send fails.
    private let onFailure: @Sendable () -> Void

    private let waitingBytes = Atomic<Int>(0)
    private let waitingWrites = Atomic<Int>(0)
    private let waitingReplyBytes = Atomic<Int>(0)
    private let blocked = Atomic<Bool>(false)
    private let released = Atomic<Bool>(false)

    // What follows is the thread's own.
    private(set) var descriptor: Int32
    private var queue = CircularBuffer<Item>()
    /// Whether a send has failed, so that everything is dropped until the connection is gone.
    private var isBroken = false
    /// Whether the line is in the thread's list of blocked lines.
    var isListed = false

    init(
        descriptor: Int32, thread: SenderThread, onFailure: @escaping @Sendable () -> Void,
        onRelease: @escaping @Sendable () -> Void
    ) {
        self.descriptor = descriptor
        self.thread = thread
        self.onFailure = onFailure
        self.onRelease = onRelease
    }

    // MARK: The event loop's side

    /// Bytes that were handed over and that the kernel has not taken.
    var queuedBytes: Int { waitingBytes.load(ordering: .relaxed) }
    /// Number of writes among them.
    var queuedWrites: Int { waitingWrites.load(ordering: .relaxed) }
    /// Bytes of replies among them.
    var queuedReplyBytes: Int { waitingReplyBytes.load(ordering: .relaxed) }
    /// Whether the socket takes nothing for now.
    var isBlocked: Bool { blocked.load(ordering: .relaxed) }

    /// Hands bytes over to the thread, which sends them in the order of the calls.
    func send(_ bytes: ByteBuffer, mark: DeliveryMark? = nil, isReply: Bool = false) {
        post([Item(bytes: bytes, mark: mark, isReply: isReply)])
    }

    func send(_ buffers: [ByteBuffer]) { post(buffers.map { Item(bytes: $0) }) }

    /// Calls `then` on the sender thread when everything handed over before is sent (true), or is
    /// dropped because the connection is gone (false).
    func afterAll(_ then: @escaping @Sendable (Bool) -> Void) {
        post([Item(bytes: ByteBuffer(), then: then)])
    }

    private func post(_ items: [Item]) {
        guard !items.isEmpty else { return }
        guard !released.load(ordering: .relaxed) else {
            for item in items { item.then?(false) }
            return
        }
        for item in items {
            waitingBytes.wrappingAdd(item.bytes.readableBytes, ordering: .relaxed)
            waitingWrites.wrappingAdd(1, ordering: .relaxed)
            if item.isReply {
                waitingReplyBytes.wrappingAdd(item.bytes.readableBytes, ordering: .relaxed)
            }
        }
        thread.post(.send(self, items))
    }

    /// Gives the line up, because the connection is gone. What waits is dropped. Later calls do
    /// nothing.
    func release() {
        guard !released.exchange(true, ordering: .relaxed) else { return }
        thread.post(.release(self))
        onRelease()
    }

    // MARK: The thread's side

    func append(_ items: [Item]) {
        let isBlocked = isBlocked
        for item in items {
            guard !isBroken, descriptor >= 0 else {
                drop(item)
                continue
            }
            queue.append(item)
            if isBlocked { queue[offset: queue.count - 1].mark?.begin() }
        }
    }

    /// Notes that the socket takes nothing more. From here on, everything in the queue waits for the
    /// socket and not for the thread, which counts as time of the write, as in a channel.
    private func block() {
        guard !isBlocked else { return }
        blocked.store(true, ordering: .relaxed)
        for offset in 0..<queue.count { queue[offset: offset].mark?.begin() }
    }

    /// Sends until the queue is empty or the socket takes nothing more.
    func work() -> Progress {
        while !queue.isEmpty {
            queue[queue.startIndex].mark?.begin()
            guard sendFirst() else {
                block()
                return .isBlocked
            }
        }
        blocked.store(false, ordering: .relaxed)
        return .isIdle
    }

    /// Sends the first item. Returns false if the socket takes nothing more for now.
    private func sendFirst() -> Bool {
        guard let item = queue.first else { return true }
        let length = item.bytes.readableBytes
        if length > 0 {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let socket = descriptor
            let sent = item.bytes.withUnsafeReadableBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, flags)
            }
            if sent < 0 {
                let code = errno
                if code == EINTR { return true }
                if code == EAGAIN || code == EWOULDBLOCK { return false }
                fail()
                return true
            }
            if sent < length {
                queue[queue.startIndex].bytes.moveReaderIndex(forwardBy: sent)
                waitingBytes.wrappingSubtract(sent, ordering: .relaxed)
                if item.isReply { waitingReplyBytes.wrappingSubtract(sent, ordering: .relaxed) }
                return true
            }
        }
        queue.removeFirst()
        item.mark?.finish()
        count(off: item)
        item.then?(true)
        return true
    }

    private func count(off item: Item) {
        let bytes = item.bytes.readableBytes
        waitingBytes.wrappingSubtract(bytes, ordering: .relaxed)
        waitingWrites.wrappingSubtract(1, ordering: .relaxed)
        if item.isReply { waitingReplyBytes.wrappingSubtract(bytes, ordering: .relaxed) }
    }

    private func drop(_ item: Item) {
        count(off: item)
        item.then?(false)
    }

    private func dropAll() {
        while let item = queue.popFirst() { drop(item) }
        blocked.store(false, ordering: .relaxed)
    }

    /// Ends the connection after a send that failed, as the channel does.
    private func fail() {
        isBroken = true
        dropAll()
        // A connection that is gone already needs no end, and its event loop may have ended.
        if !released.load(ordering: .relaxed) { onFailure() }
    }

    /// Drops what waits and closes the descriptor.
    func close() {
        dropAll()
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }
}
