import NIOCore
import NIOHTTP1

/// Why an object did not come, as the client is told.
struct EdgeFailure: Equatable {
    var status: HTTPResponseStatus
    /// What went wrong and how to mend it, with its line end.
    var reason: String
}

/// Who waits for an object's bytes.
protocol EdgeListener: AnyObject {
    func objectChanged()
}

/// One answer of the origin, shared by all who asked for it: first as it arrives, then whole.
/// Bound to the edge's event loop.
final class EdgeObject {
    enum State: Equatable {
        case waiting, receiving, whole
        case failed(EdgeFailure)
    }

    struct Head {
        var status: HTTPResponseStatus
        /// Lines that go on to clients, each with its line end.
        var lines: String
        var contentLength: Int?
        var freshness: EdgeFreshness
        /// When it arrived, nanoseconds.
        var arrivedAt: Int64
    }

    let target: EdgeTarget
    /// When the origin was asked for it, nanoseconds.
    let askedAt: Int64
    /// Of a playlist that is whole.
    private(set) var position: EdgeVersions.Position?
    /// Since when nobody waits for it; nil while somebody does.
    private(set) var abandonedAt: Int64?
    private(set) var state = State.waiting
    private(set) var head: Head?
    /// Bytes of the body that are here.
    private(set) var count = 0
    private var chunks: [(start: Int, bytes: ByteBuffer)] = []
    private var listeners: [ObjectIdentifier: any EdgeListener] = [:]

    init(_ target: EdgeTarget, askedAt: Int64) {
        self.target = target
        self.askedAt = askedAt
    }

    /// The body's length, once it is known.
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

    /// Bytes from `offset` on, at most `limit`; what is shared is not copied.
    func slice(from offset: Int, limit: Int) -> ByteBuffer? {
        guard offset < count, limit > 0 else { return nil }
        // Few readers are far behind: the newest chunk first, then a search.
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

    /// The body is whole. It is copied once, into as much memory as it needs: what was read from
    /// the socket lies in buffers that are longer.
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
        // Telling may remove listeners.
        for listener in Array(listeners.values) { listener.objectChanged() }
    }

    /// The whole body, once it is there.
    var body: ByteBuffer { chunks.first?.bytes ?? ByteBuffer() }
}
