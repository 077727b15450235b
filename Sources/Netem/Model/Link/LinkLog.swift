/// A log of what a link did, packet by packet, to be replayed through a `LinkModel`.
///
/// A comment that describes the link (`# offset_ms=35 opportunity_bytes=1504 queue=…`), a header
/// `event,t_ms,bytes,delay_ms`, then one line per event: `arrive`, `depart` (with the time since the
/// arrival) or `drop`. Times are whole milliseconds.
public struct LinkLog: Sendable, Hashable {
    public enum Event: String, Sendable, Hashable, CaseIterable { case arrive, depart, drop }

    public struct Row: Sendable, Hashable {
        /// In the file, from 1.
        public var line: Int
        public var event: Event
        public var milliseconds: Int64
        public var bytes: Int
        /// Of a departure, where the log tells it.
        public var delayMilliseconds: Int64?
    }

    /// When the trace started, milliseconds; 0 where the log does not tell.
    public var offsetMilliseconds: Int64 = 0
    public var rows: [Row] = []

    /// - Throws: `TraceError` with the line at fault.
    public init(parsing bytes: [UInt8], file: String) throws(TraceError) {
        do throws(TraceError) {
            try parse(bytes)
        } catch {
            var error = error
            error.file = file
            throw error
        }
    }

    private mutating func parse(_ bytes: [UInt8]) throws(TraceError) {
        try parseDescription(bytes.prefix { $0 != UInt8(ascii: "\n") })
        var lines = TraceLines(bytes)
        guard let header = lines.next(), header.text == "event,t_ms,bytes,delay_ms" else {
            throw TraceError(
                .missingColumn, line: max(1, lines.number),
                "the log lacks its header; it takes event,t_ms,bytes,delay_ms")
        }
        while let line = lines.next() {
            let fields = line.text.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == 4, let milliseconds = Int64(fields[1]), let size = Int(fields[2]),
                (1...LinkModel.largestPacketBytes).contains(size),
                (0...LinkModel.latestNanoseconds / 1_000_000).contains(milliseconds),
                fields[3].isEmpty || Int64(fields[3]) != nil
            else {
                throw TraceError(
                    .malformed, line: line.number,
                    "'\(line.text.prefix(60))' is no event; it takes event,t_ms,bytes,delay_ms")
            }
            guard let event = Event(rawValue: String(fields[0])) else {
                throw TraceColumns.unknown(
                    String(fields[0]), among: Event.allCases.map(\.rawValue), what: "event",
                    line: line.number)
            }
            guard milliseconds >= rows.last?.milliseconds ?? 0 else {
                throw TraceError(
                    .notMonotone, line: line.number,
                    "the time is before that of the line above; sort the lines")
            }
            rows.append(
                Row(
                    line: line.number, event: event, milliseconds: milliseconds, bytes: size,
                    delayMilliseconds: Int64(fields[3])))
        }
        guard rows.contains(where: { $0.event == .arrive }) else {
            throw TraceError(.empty, "the log has no arrival; there is nothing to replay")
        }
    }

    private mutating func parseDescription(_ line: ArraySlice<UInt8>) throws(TraceError) {
        guard line.first == UInt8(ascii: "#") else { return }
        for word in String(decoding: line, as: UTF8.self).split(separator: " ") {
            guard word.hasPrefix("offset_ms=") else { continue }
            let text = word.dropFirst("offset_ms=".count)
            guard let offset = Int64(text), (0...DeliveryTrace.longestMilliseconds).contains(offset)
            else {
                throw TraceError(
                    .malformed, line: 1, "offset_ms is '\(text)'; it takes whole milliseconds")
            }
            offsetMilliseconds = offset
        }
    }
}
