/// Attribution of the bytes of a connection's downstream to responses, so that packets can be
/// attributed, late and repeated ones too.
struct HTTPResponseSpans {
    private struct Span {
        var start: Int
        /// End of the span; nil while the response continues.
        var end: Int?
        /// Entry of the table; nil for HTTP-FLV, which has rows of its own.
        var entry: Int?
        /// Whether the response was requested in the window and successful.
        var counts = false
        /// Whether the response ended in order, the capture missed no byte of it and the client
        /// refused none.
        var isWhole = false
        var whole = Whole()
    }

    /// A whole response, whenever its packets came.
    struct Whole {
        var payload = 0
        var wire = 0
        var retransmitted = 0
        var isRange = false
        /// Seconds of media; 0 = unknown.
        var seconds = 0.0
    }

    struct Packet {
        /// Offset of the packet's first payload byte in the stream.
        var offset: Int
        var length: Int
        var linkBytes: Int
        var retransmitted: Int
        var isInWindow: Bool
    }

    /// Number of responses remembered for retransmissions.
    static let limit = 64
    /// Largest number of packets that wait for an earlier one.
    static let pendingLimit = 1_024

    private var spans: [Span] = []
    private var pending: [Packet] = []

    mutating func begin(at offset: Int, entry: Int?, _ table: HTTPTable) {
        end(at: offset)
        if spans.count >= Self.limit { book(spans.removeFirst(), table) }
        spans.append(Span(start: offset, end: nil, entry: entry))
    }

    /// Marks the current response as one to count once it is whole.
    mutating func count(isRange: Bool) {
        guard let last = spans.indices.last, spans[last].end == nil else { return }
        spans[last].counts = true
        spans[last].whole.isRange = isRange
    }

    /// Marks the current response as complete.
    mutating func complete(at offset: Int, seconds: Double) {
        guard let last = spans.indices.last, spans[last].end == nil else { return }
        spans[last].isWhole = true
        spans[last].whole.seconds = seconds
        end(at: offset)
    }

    /// Marks the latest response as incomplete: the capture or the client has missed some of it.
    mutating func spoil() {
        guard let last = spans.indices.last else { return }
        spans[last].counts = false
    }

    mutating func end(at offset: Int) {
        guard let last = spans.indices.last, spans[last].end == nil else { return }
        spans[last].end = offset
    }

    /// Marks the current response as HTTP-FLV.
    mutating func disown() {
        guard let last = spans.indices.last else { return }
        spans[last].entry = nil
    }

    /// - Parameter known: Stream position up to which responses are known.
    mutating func account(_ packet: Packet, known: Int, _ table: HTTPTable) {
        if packet.offset + packet.length > known, pending.count < Self.pendingLimit {
            pending.append(packet)
        } else {
            settle(packet, table)
        }
        guard !pending.isEmpty else { return }
        let ready = pending.filter { $0.offset + $0.length <= known }
        guard !ready.isEmpty else { return }
        pending.removeAll { $0.offset + $0.length <= known }
        for packet in ready { settle(packet, table) }
    }

    /// Settles the waiting packets with the responses known so far.
    mutating func settle(_ table: HTTPTable) {
        for packet in pending { settle(packet, table) }
        pending = []
    }

    /// Ends the connection: no more packets come.
    mutating func finish(_ table: HTTPTable) {
        settle(table)
        for span in spans { book(span, table) }
        spans = []
    }

    /// Computes `part` of `whole` parts of a number, whatever its size.
    private static func share(of number: Int, _ part: Int, _ whole: Int) -> Int {
        guard whole > 0, number > 0, part > 0 else { return 0 }
        guard part < whole else { return number }
        let product = UInt(number).multipliedFullWidth(by: UInt(part))
        return Int(clamping: UInt(whole).dividingFullWidth(product).quotient)
    }

    var retainedBytes: Int {
        spans.count * MemoryLayout<Span>.stride + pending.count * MemoryLayout<Packet>.stride
    }

    private func book(_ span: Span, _ table: HTTPTable) {
        guard let entry = span.entry, span.counts, span.isWhole else { return }
        table.add(whole: span.whole, to: entry)
    }

    private mutating func settle(_ packet: Packet, _ table: HTTPTable) {
        var left = packet.length
        var repeated = packet.retransmitted
        let overhead = packet.linkBytes - packet.length
        var overheadLeft = overhead
        var cursor = packet.offset
        let end = packet.offset + packet.length
        func take(_ count: Int, _ entry: Int?, isLast: Bool) -> (wire: Int, again: Int) {
            let share = isLast ? overheadLeft : Self.share(of: overhead, count, packet.length)
            overheadLeft -= share
            let again = min(repeated, count)
            repeated -= again
            left -= count
            if let entry, packet.isInWindow {
                table.add(entry, payload: count, wire: count + share, retransmitted: again)
            }
            return (count + share, again)
        }
        for index in spans.indices where cursor < end {
            let span = spans[index]
            let stop = min(end, span.end ?? end)
            guard stop > cursor, span.start < end else { continue }
            if span.start > cursor {
                // The bytes are older than the remembered responses, or lie between two responses.
                _ = take(span.start - cursor, table.entry(target: nil, server: ""), isLast: false)
                cursor = span.start
            }
            let (wire, again) = take(stop - cursor, span.entry, isLast: stop == end)
            spans[index].whole.payload += stop - cursor
            spans[index].whole.wire.add(clamping: wire)
            spans[index].whole.retransmitted += again
            cursor = stop
        }
        if left > 0 { _ = take(left, table.entry(target: nil, server: ""), isLast: true) }
    }
}
