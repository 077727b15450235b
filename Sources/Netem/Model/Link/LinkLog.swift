/// A log of a link's events, packet by packet, which can be replayed through a `LinkModel`.
///
/// The log has comments that describe the link (`# offset_ms=35 opportunity_bytes=1504 queue=…`, or
/// one line per option of `millrace link`, such as `# --delay 20ms`) and a header
/// `event,t_ms,bytes,delay_ms` (or `event,t_ns,bytes,delay_ns`). Then each event has one line:
/// `arrive`, `depart` (with the time since the arrival) or `drop`. Times are whole milliseconds or
/// nanoseconds.
public struct LinkLog: Sendable, Hashable {
    public enum Event: String, Sendable, Hashable, CaseIterable { case arrive, depart, drop }

    public struct Row: Sendable, Hashable {
        /// Line number in the file, from 1.
        public var line: Int
        public var event: Event
        /// Time of the event in the log's unit.
        public var time: Int64
        public var bytes: Int
        /// Delay of a departure in the log's unit; nil if the log does not state it.
        public var delay: Int64?
    }

    /// An option of the link, as on the command line: name without dashes, and value.
    public struct Option: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    static let millisecondHeader = "event,t_ms,bytes,delay_ms"
    static let nanosecondHeader = "event,t_ns,bytes,delay_ns"
    /// Largest number of options in a log's description.
    static let mostOptions = 64

    /// Start of the trace in milliseconds; 0 if the log does not state it.
    public var offsetMilliseconds: Int64 = 0
    /// Nanoseconds in the unit of the log's times: 1 000 000, or 1.
    public private(set) var unitNanoseconds: Int64 = 1_000_000
    /// Options that the log states about its link, in the order of its lines.
    public private(set) var options: [Option] = []
    public var rows: [Row] = []

    /// - Throws: `TraceError` with the faulty line.
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
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard line.first == UInt8(ascii: "#") else { break }
            try parseDescription(line, number: number)
        }
        var lines = TraceLines(bytes)
        let header = lines.next().map { String($0.text) } ?? ""
        guard header == Self.millisecondHeader || header == Self.nanosecondHeader else {
            throw TraceError(
                .missingColumn, line: max(1, lines.number),
                "the log lacks its header; it takes \(Self.millisecondHeader) or \(Self.nanosecondHeader)"
            )
        }
        unitNanoseconds = header == Self.nanosecondHeader ? 1 : 1_000_000
        let latest = LinkModel.latestNanoseconds / unitNanoseconds
        while let line = lines.next() {
            let fields = line.text.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == 4, let time = Int64(fields[1]), let size = Int(fields[2]),
                (1...LinkModel.largestPacketBytes).contains(size),
                (0...latest).contains(time),
                fields[3].isEmpty || Int64(fields[3]) != nil
            else {
                throw TraceError(
                    .malformed, line: line.number,
                    "'\(line.text.prefix(60))' is no event; it takes \(header)")
            }
            guard let event = Event(rawValue: String(fields[0])) else {
                throw TraceColumns.unknown(
                    String(fields[0]), among: Event.allCases.map(\.rawValue), what: "event",
                    line: line.number)
            }
            guard time >= rows.last?.time ?? 0 else {
                throw TraceError(
                    .notMonotone, line: line.number,
                    "the time is before that of the line above; sort the lines")
            }
            rows.append(
                Row(
                    line: line.number, event: event, time: time, bytes: size,
                    delay: Int64(fields[3])))
        }
        guard rows.contains(where: { $0.event == .arrive }) else {
            throw TraceError(.empty, "the log has no arrival; there is nothing to replay")
        }
    }

    private mutating func parseDescription(
        _ line: ArraySlice<UInt8>, number: Int
    ) throws(TraceError) {
        let words = String(decoding: line, as: UTF8.self)
            .split(separator: " ", maxSplits: 2).map(String.init)
        if words.count == 3, words[0] == "#", words[1].hasPrefix("--") {
            guard options.count < Self.mostOptions else {
                throw TraceError(
                    .tooLarge, line: number,
                    "the log describes its link with more than \(Self.mostOptions) options")
            }
            options.append(Option(String(words[1].dropFirst(2)), words[2]))
        }
        for word in String(decoding: line, as: UTF8.self).split(separator: " ") {
            guard word.hasPrefix("offset_ms=") else { continue }
            let text = word.dropFirst("offset_ms=".count)
            guard let offset = Int64(text), (0...DeliveryTrace.longestMilliseconds).contains(offset)
            else {
                throw TraceError(
                    .malformed, line: number, "offset_ms is '\(text)'; it takes whole milliseconds")
            }
            offsetMilliseconds = offset
        }
    }
}
