import Foundation
import Netem
import Testing

@Suite struct TraceReaderTests {
    private func read(
        _ text: String, _ file: String = "trace", _ format: TraceFormat? = nil
    ) throws -> LinkTrace {
        try TraceReader.read(Array(text.utf8), file: file, format: format)
    }

    private func schedule(_ periods: [(ms: Int64, kbps: Int64, delay: Int64, loss: Double)]) throws
        -> LinkTrace
    {
        .schedule(
            try RateSchedule(
                periods: periods.map {
                    .init(
                        durationNanoseconds: $0.ms * millisecond, bitsPerSecond: $0.kbps * 1000,
                        delayNanoseconds: $0.delay * millisecond, loss: $0.loss)
                }))
    }

    @Test func formats() throws {
        let delivery = LinkTrace.delivery(try DeliveryTrace(milliseconds: [1, 1, 7]))
        let sabre = try schedule([(1000, 335, 29, 0), (500, 0, 30, 0), (1500, 1, 0, 0)])
        let sabreText = """
            [{"duration_ms": 1000, "bandwidth_kbps": 335, "latency_ms": 58},
             {"bandwidth_kbps": 0, "latency_ms": 60.0,
              "duration_ms": 5e2},{"duration_ms":1500,"bandwidth_kbps":1.0}]
            """
        let pensieve = try schedule([(1500, 2000, 0, 0), (500, 3500, 0, 0)])
        let csv = try schedule([(1500, 2000, 20, 0), (500, 0, 25, 0.01), (500, 300, 0, 1)])
        let csvText = "t,kbps,delay_ms,loss\n10,2000,20,0\n11.5,0,25,1%\n12,300,0,1\n"
        let cases: [(name: String, text: String, file: String, trace: LinkTrace)] = [
            ("mahimahi", "1\n1\n7\n", "a.trace", delivery),
            ("comments, CRLF, no last end of line", "# x\r\n1\r\n\r\n 1\r\n7", "a", delivery),
            ("sabre", sabreText, "a.json", sabre), ("sabre by content", sabreText, "a", sabre),
            ("pensieve, tab", "0.0\t9\n1.5\t2\n2.0\t3.5\n", "a", pensieve),
            ("pensieve, spaces", "5  9\n6.5 2\n7.0  3.5", "a.log", pensieve),
            ("csv", csvText, "a.csv", csv), ("csv by content", csvText, "a", csv),
            (
                "csv, other order, byte order mark", "\u{FEFF}kbps, t\n8,0\n", "a.csv",
                try schedule([(1000, 8, 0, 0)])
            ),
        ]
        for c in cases { #expect(try read(c.text, c.file) == c.trace, "\(c.name)") }
        #expect(try read("1\n7\n", "a.csv", .mahimahi) == .delivery(.init(milliseconds: [1, 7])))
    }

    static let sabreStart = "[\n{\"duration_ms\": 1, \"bandwidth_kbps\": 5},\n"

    @Test func refusals() {
        typealias Case = (
            name: String, text: String, file: String, line: Int, code: TraceError.Code
        )
        let s = Self.sabreStart
        let cases: [Case] = [
            ("empty", "", "a", 0, .empty), ("only comments", "# a\n\n", "a", 0, .empty),
            ("what is it", "hello\n", "a", 1, .unknownFormat),
            ("negative", "1\n-2\n", "a", 2, .negative), ("word", "1\n\nx\n", "a", 3, .malformed),
            ("fraction", "1\n1.5\n", "a", 2, .malformed), ("order", "5\n4\n", "a", 2, .notMonotone),
            ("zero length", "0\n0\n", "a", 2, .zeroLength),
            ("a year", "99999999999999\n", "a", 1, .outOfRange),
            ("huge", "99999999999999999999\n", "a", 1, .malformed),
            ("pensieve nan", "0 1\n1 nan\n", "a", 2, .notFinite),
            ("pensieve inf", "0 1\n1 2\n2 inf\n", "a", 3, .notFinite),
            ("pensieve fields", "0 1\n1\n", "a", 2, .malformed),
            ("pensieve order", "0 1\n2 1\n1 1\n", "a", 3, .notMonotone),
            ("pensieve same time", "0 1\n2 1\n2 1\n", "a", 3, .zeroLength),
            ("pensieve one line", "0 1\n", "a", 1, .zeroLength),
            ("pensieve negative", "0 1\n1 -1\n", "a", 2, .negative),
            ("pensieve dead", "0 0\n1 0\n", "a", 2, .allZero),
            ("pensieve too fast", "0 1\n1 1e9\n", "a", 2, .outOfRange),
            ("column", "t,kbs\n0,1\n", "a", 1, .unknownColumn),
            ("lacking", "t,loss\n0,1\n", "a", 1, .missingColumn),
            ("twice", "t,kbps,t\n0,1,1\n", "a", 1, .malformed),
            ("fields", "t,kbps\n0,1\n1\n", "a", 3, .malformed),
            ("loss", "t,kbps,loss\n0,1,2\n", "a", 2, .outOfRange),
            ("loss in percent", "t,kbps,loss\n0,1,200%\n", "a", 2, .outOfRange),
            ("negative delay", "t,kbps,delay_ms\n0,1,-1\n", "a", 2, .negative),
            ("no rows", "t,kbps\n", "a", 0, .empty), ("dead", "t,kbps\n0,0\n", "a", 2, .allZero),
            ("order in csv", "t,kbps\n1,1\n0,1\n", "a", 3, .notMonotone),
            ("empty list", "[ ]", "a", 1, .empty), ("no list", "{}", "a", 1, .malformed),
            ("cut", s, "a", 3, .malformed), ("comma", s + "]", "a", 3, .malformed),
            ("key", s + "{\"duration\": 1}]", "a", 3, .unknownColumn),
            ("no rate", s + "{\"duration_ms\": 1}]", "a", 3, .missingColumn),
            ("text", s + "{\"duration_ms\": \"1\"}]", "a", 3, .malformed),
            ("twice in JSON", s + "{\"duration_ms\": 1,\n\"duration_ms\": 1}]", "a", 4, .malformed),
            (
                "zero", s + "{\"duration_ms\": 0, \"bandwidth_kbps\": 1}]", "a", 3, .zeroLength
            ),
            (
                "negative latency",
                s + "{\"duration_ms\": 1, \"bandwidth_kbps\": 1, \"latency_ms\": -4}]", "a", 3,
                .negative
            ),
            ("NaN", s + "{\"duration_ms\": NaN}]", "a", 3, .notFinite),
            ("more", "[{\"duration_ms\": 1, \"bandwidth_kbps\": 5}]\n\nx", "a", 3, .malformed),
        ]
        for c in cases {
            let error = #expect(throws: TraceError.self, "\(c.name)") { try read(c.text, c.file) }
            #expect(error?.code == c.code && error?.line == c.line, "\(c.name): \(error!)")
            #expect(error?.file == c.file, "\(c.name)")
        }
    }

    @Test func messagesHelp() {
        let column = #expect(throws: TraceError.self) { try read("t,kbs\n0,1\n", "a.csv") }
        #expect(column?.description == "a.csv:1: unknown column 'kbs'; did you mean 'kbps'?")
        let key = #expect(throws: TraceError.self) { try read("[{\"latency\": 1}]", "a.json") }
        #expect(key?.description.contains("did you mean 'latency_ms'?") == true)
    }

    /// A sparse file of 64 MiB and a byte is refused by its size.
    @Test func largeFilesAreNotRead() throws {
        let path = NSTemporaryDirectory() + "millrace-\(UUID().uuidString).trace"
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(FileManager.default.createFile(atPath: path, contents: Data("3\n".utf8)))
        #expect(try TraceReader.read(path: path) == .delivery(.init(milliseconds: [3])))
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: UInt64(TraceReader.largestFileBytes) + 1)
        try handle.close()
        var error = #expect(throws: TraceError.self) { try TraceReader.read(path: path) }
        #expect(error?.code == .tooLarge)
        error = #expect(throws: TraceError.self) { try TraceReader.read(path: path + "-absent") }
        #expect(error?.code == .unreadable)
        error = #expect(throws: TraceError.self) { try TraceReader.read(path: "/dev/zero") }
        #expect(error?.code == .unreadable)
    }

    /// No prefix of any format, and no change of a byte, does worse than throw.
    @Test func damagedTraces() {
        let texts = [
            "1\n1\n7\n", Self.sabreStart + "{\"duration_ms\": 1, \"bandwidth_kbps\": 1}]",
            "0.0\t9\n1.5\t2\n", "t,kbps,delay_ms,loss\n0,1,2,3%\n1,2,3,0.5\n",
        ]
        for text in texts {
            let bytes = Array(text.utf8)
            for i in bytes.indices {
                _ = try? TraceReader.read(Array(bytes[..<i]), file: "a")
                for value: UInt8 in [0, 0x2D, 0x39, 0x65, 0xFF] {
                    var damaged = bytes
                    damaged[i] = value
                    for format in [nil] + TraceFormat.allCases.map(Optional.some) {
                        _ = try? TraceReader.read(damaged, file: "a", format: format)
                    }
                }
            }
        }
    }
}
