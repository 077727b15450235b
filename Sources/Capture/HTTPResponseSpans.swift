/// Which bytes of a connection's downstream belong to which response, so that packets can be
/// attributed, late and repeated ones too.
struct HTTPResponseSpans {
    private struct Span {
        var start: Int
        /// nil = goes on.
        var end: Int?
        /// An entry of the table; nil = HTTP-FLV, which has rows of its own.
        var entry: Int?
    }

    struct Packet {
        /// Of its first payload byte in the stream.
        var offset: Int
        var length: Int
        var linkBytes: Int
        var retransmitted: Int
    }

    /// Responses remembered for retransmissions.
    static let limit = 64
    /// Packets that wait for one before them.
    static let pendingLimit = 1_024

    private var spans: [Span] = []
    private var pending: [Packet] = []

    mutating func begin(at offset: Int, entry: Int?) {
        end(at: offset)
        if spans.count >= Self.limit { spans.removeFirst() }
        spans.append(Span(start: offset, end: nil, entry: entry))
    }

    mutating func end(at offset: Int) {
        guard let last = spans.indices.last, spans[last].end == nil else { return }
        spans[last].end = offset
    }

    /// The response that goes on turned out to be HTTP-FLV.
    mutating func disown() {
        guard let last = spans.indices.last else { return }
        spans[last].entry = nil
    }

    /// - Parameter known: stream position up to which responses are known.
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

    /// No more comes: what waits is settled by what is known.
    mutating func finish(_ table: HTTPTable) {
        for packet in pending { settle(packet, table) }
        pending = []
    }

    private func settle(_ packet: Packet, _ table: HTTPTable) {
        var left = packet.length
        var repeated = packet.retransmitted
        let overhead = packet.linkBytes - packet.length
        var overheadLeft = overhead
        var cursor = packet.offset
        let end = packet.offset + packet.length
        func take(_ count: Int, _ entry: Int?, isLast: Bool) {
            let share = isLast ? overheadLeft : overhead * count / max(1, packet.length)
            overheadLeft -= share
            let again = min(repeated, count)
            repeated -= again
            left -= count
            guard let entry else { return }
            table.add(entry, payload: count, wire: count + share, retransmitted: again)
        }
        for span in spans where cursor < end {
            let stop = min(end, span.end ?? end)
            guard stop > cursor, span.start < end else { continue }
            if span.start > cursor {
                // Older than what is remembered, or between two responses.
                take(span.start - cursor, table.entry(target: nil, server: ""), isLast: false)
                cursor = span.start
            }
            take(stop - cursor, span.entry, isLast: stop == end)
            cursor = stop
        }
        if left > 0 { take(left, table.entry(target: nil, server: ""), isLast: true) }
    }
}
