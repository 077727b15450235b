/// Puts one direction of a TCP connection back in order (RFC 9293), with bounded memory.
///
/// A stretch that was never captured becomes a gap once it is certain that it will not come: the
/// receiver has acknowledged bytes beyond it, or the reassembler has held too many bytes or waited
/// too long.
struct TCPReassembler {
    enum Event {
        /// The next bytes in order.
        case data(UnsafeRawBufferPointer)
        /// A run of this many bytes is missing: the capture lost them.
        case gap(Int)
        /// A run of this many bytes was sent in a captured packet that the snap length has cut.
        case cut(Int)
    }

    private struct Pending {
        var start: Int
        var length: Int
        var bytes: [UInt8]
        var time: Int64
        var end: Int { start + length }
    }

    static let pendingBytesLimit = 1 << 20
    static let pendingCountLimit = 512
    /// Time in nanoseconds after which a hole is a gap.
    static let waitLimit: Int64 = 3_000_000_000
    /// Time in nanoseconds that a hole may last once the bytes after it are acknowledged: capture
    /// threads may swap packets of the two directions.
    static let acknowledgedWaitLimit: Int64 = 20_000_000
    /// Distance in bytes ahead of the sequence beyond which a segment starts the sequence anew.
    static let jumpLimit = 64 << 20

    private(set) var pendingBytes = 0
    var isWaiting: Bool { !pending.isEmpty }
    /// Number of segments that were captured before a segment that precedes them.
    private(set) var outOfOrderSegments = 0
    private var pending: [Pending] = []
    /// Sequence number and stream position of the next byte to deliver.
    private var nextSequence: UInt32?
    private var position = 0
    private var holeSince: Int64 = 0

    mutating func synchronize(_ sequence: UInt32) {
        if nextSequence == nil { nextSequence = sequence &+ 1 }
    }

    /// Stream offset at which a segment begins, before or after it was accepted.
    func offset(of sequence: UInt32) -> Int {
        position + Int(Int32(bitPattern: sequence &- (nextSequence ?? sequence)))
    }

    /// Accepts a segment's payload, of which `payload` was captured and `length` was sent. Returns
    /// the number of its bytes that had been seen before.
    mutating func accept(
        sequence: UInt32, payload: UnsafeRawBufferPointer, length: Int, time: Int64,
        deliver: (Event, Int64) -> Void
    ) -> Int {
        guard length > 0 else { return 0 }
        let next = nextSequence ?? sequence
        nextSequence = next
        let start = position + Int(Int32(bitPattern: sequence &- next))
        let end = start + length
        if end <= position { return length }
        if start > position + Self.jumpLimit {
            clear()
            deliver(.gap(start - position), time)
            advance(to: start)
        }
        if start > position { return hold(start, payload, length, time) }
        let seen = position - start
        emit(payload.from(seen), end - position, time, deliver)
        return seen + drain(time, deliver)
    }

    /// Whether a segment with this sequence number continues the stream, and no later bytes are
    /// held.
    func isNext(_ sequence: UInt32) -> Bool { nextSequence == sequence && pending.isEmpty }

    /// Passes over the next bytes, which nobody dissects; see `isNext`.
    mutating func pass(_ length: Int) { advance(to: position + length) }

    /// Stops waiting for bytes that will not come. `acknowledged` is the receiver's latest
    /// acknowledgement number.
    mutating func expire(
        time: Int64, acknowledged: UInt32?, force: Bool = false, deliver: (Event, Int64) -> Void
    ) {
        while let first = pending.first, let next = nextSequence {
            let waited = time &- holeSince
            let passed = acknowledged.map {
                position + Int(Int32(bitPattern: $0 &- next)) > first.start
            }
            let overdue =
                force || pendingBytes > Self.pendingBytesLimit
                || pending.count > Self.pendingCountLimit || waited > Self.waitLimit
                || (passed == true && waited > Self.acknowledgedWaitLimit)
            guard overdue else { return }
            deliver(.gap(first.start - position), first.time)
            advance(to: first.start)
            // These bytes were captured in time, although the bytes before them were not.
            _ = drain(nil, deliver)
            holeSince = time
        }
    }

    private mutating func emit(
        _ captured: UnsafeRawBufferPointer, _ length: Int, _ time: Int64,
        _ deliver: (Event, Int64) -> Void
    ) {
        let captured = captured.upTo(length)
        if captured.count > 0 { deliver(.data(captured), time) }
        if captured.count < length { deliver(.cut(length - captured.count), time) }
        advance(to: position + length)
    }

    private mutating func advance(to new: Int) {
        nextSequence = nextSequence.map { $0 &+ UInt32(truncatingIfNeeded: new - position) }
        position = new
    }

    /// Delivers the bytes that have become contiguous. `time` is when the hole was filled: until
    /// then the receiver could not use the later bytes. Returns the number of bytes seen twice.
    private mutating func drain(_ time: Int64?, _ deliver: (Event, Int64) -> Void) -> Int {
        var seen = 0
        var used = 0
        while used < pending.count, pending[used].start <= position {
            let part = pending[used]
            used += 1
            pendingBytes -= part.bytes.count
            let overlap = min(position - part.start, part.length)
            seen += overlap
            guard overlap < part.length else { continue }
            part.bytes.withUnsafeBytes {
                emit(
                    $0.from(overlap), part.length - overlap, max(part.time, time ?? part.time),
                    deliver)
            }
        }
        if used > 0 {
            pending.removeFirst(used)
            holeSince = time ?? holeSince
        }
        return seen
    }

    private mutating func hold(
        _ start: Int, _ payload: UnsafeRawBufferPointer, _ length: Int, _ time: Int64
    ) -> Int {
        if pending.isEmpty { holeSince = time }
        outOfOrderSegments += 1
        let end = start + length
        var cursor = start
        var seen = 0
        var index = 0
        func part(_ from: Int, _ to: Int) -> Pending {
            let bytes = payload.from(from - start).upTo(to - from)
            return Pending(start: from, length: to - from, bytes: Array(bytes), time: time)
        }
        while index < pending.count, cursor < end {
            let other = pending[index]
            if other.end <= cursor {
                index += 1
                continue
            }
            if other.start >= end { break }
            if other.start > cursor {
                let piece = part(cursor, other.start)
                pendingBytes += piece.bytes.count
                pending.insert(piece, at: index)
                cursor = other.start
                index += 1
            }
            seen += min(end, other.end) - cursor
            cursor = min(end, other.end)
            index += 1
        }
        if cursor < end {
            let piece = part(cursor, end)
            pendingBytes += piece.bytes.count
            pending.insert(piece, at: index)
        }
        return seen
    }

    private mutating func clear() {
        pending = []
        pendingBytes = 0
    }
}
