import NIOCore
import NIOHTTP1

/// Reason why an object could not be fetched, and the status that the client receives.
struct EdgeFailure: Equatable {
    var status: HTTPResponseStatus
    /// Text that states the fault and how to mend it, with its line end.
    var reason: String
}

/// A party that waits for an object's bytes.
protocol EdgeListener: AnyObject {
    func objectChanged()
}

/// One response of the origin, shared by all clients that requested it, both while it arrives and
/// once it is complete. It is bound to the edge's event loop.
final class EdgeObject {
    enum State: Equatable {
        case waiting, receiving, whole
        case failed(EdgeFailure)
    }

    struct Head {
        var status: HTTPResponseStatus
        /// Header lines that are passed on to clients, each with its line end.
        var lines: String
        var contentLength: Int?
        var freshness: EdgeFreshness
        /// Time of arrival in nanoseconds.
        var arrivedAt: Int64
    }

    let target: EdgeTarget
    /// Time of the request to the origin, in nanoseconds.
    let askedAt: Int64
    /// Position of a complete media playlist; nil for other objects.
    private(set) var position: EdgeVersions.Position?
    /// Time since which no client waits for the object; nil while one does.
    private(set) var abandonedAt: Int64?
    private(set) var state = State.waiting
    private(set) var head: Head?
    /// Number of bytes of the body that have arrived.
    private(set) var count = 0
    private var chunks: [(start: Int, bytes: ByteBuffer)] = []
    private var listeners: [ObjectIdentifier: any EdgeListener] = [:]

    init(_ target: EdgeTarget, askedAt: Int64) {
        self.target = target
        self.askedAt = askedAt
    }

    /// Length of the body, once it is known.
    var length: Int? { state == .whole ? count : head?.contentLength }

    var isFinished: Bool {
        switch state {
        case .waiting, .receiving: false
        case .whole, .failed: true
        }
    }

    /// Age in whole seconds (RFC 9111, 5.1).
    func age(at now: Int64) -> Int {
        guard let head else { return 0 }
        return Int(head.freshness.age + Double(max(0, now - head.arrivedAt)) / 1e9)
    }

    func add(_ listener: any EdgeListener) {
        listeners[ObjectIdentifier(listener)] = listener
        abandonedAt = nil
    }

    func remove(_ listener: any EdgeListener, at now: Int64) {
        listeners[ObjectIdentifier(listener)] = nil
        if listeners.isEmpty, !isFinished { abandonedAt = now }
    }

    /// Returns at most `limit` bytes from `offset` on, without copying them; nil if none have
    /// arrived.
    func slice(from offset: Int, limit: Int) -> ByteBuffer? {
        guard offset < count, limit > 0 else { return nil }
        // A binary search finds the chunk that contains `offset`.
        var low = 0
        var high = chunks.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if chunks[middle].start <= offset { low = middle } else { high = middle - 1 }
        }
        let chunk = chunks[low]
        let skip = offset - chunk.start
        return chunk.bytes.getSlice(
            at: chunk.bytes.readerIndex + skip,
            length: min(limit, chunk.bytes.readableBytes - skip))
    }

    // MARK: The origin's side

    func begin(_ head: Head) {
        self.head = head
        state = .receiving
        tell()
    }

    func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        chunks.append((count, bytes))
        count += bytes.readableBytes
        tell()
    }

    /// Completes the body. It is copied once, into as much memory as it needs, because the buffers
    /// that were read from the socket are longer.
    func finish() {
        if let first = chunks.first {
            var whole = ByteBufferAllocator().buffer(capacity: count)
            for chunk in chunks { whole.writeImmutableBuffer(chunk.bytes) }
            chunks = [(first.start, whole)]
        }
        if target.kind == .playlist, head?.status == .ok { position = .init(body) }
        state = .whole
        tell()
        listeners.removeAll()
    }

    func fail(_ failure: EdgeFailure) {
        guard !isFinished else { return }
        state = .failed(failure)
        tell()
        listeners.removeAll()
        chunks.removeAll()
        count = 0
    }

    private func tell() {
        // A listener may remove listeners while it is notified.
        for listener in Array(listeners.values) { listener.objectChanged() }
    }

    /// The whole body, once it has arrived.
    var body: ByteBuffer { chunks.first?.bytes ?? ByteBuffer() }
}
