/// Comparison of a log's events with those that a `LinkModel` makes from the log's arrivals, in the
/// log's unit (milliseconds or nanoseconds).
public struct LinkReplay: Sendable, Hashable {
    /// Largest number of lines in `differences`.
    public static let mostDifferences = 100

    public private(set) var arrivals = 0
    /// Number of departures in the log.
    public private(set) var departures = 0
    /// Number of losses and queue drops in the log.
    public private(set) var drops = 0
    /// Number of events that only the log or only the model has.
    public private(set) var mismatches = 0
    /// The first of these events, with `+` for the model's and `-` for the log's.
    public private(set) var differences: [String] = []

    private struct Outcome: Comparable {
        var time: Int64
        var isDrop: Bool
        var bytes: Int
        var delay: Int64?
        var line = 0

        private var key: (Int64, Int, Int, Int64) {
            (time, isDrop ? 1 : 0, bytes, delay ?? -1)
        }
        static func == (a: Self, b: Self) -> Bool { a.key == b.key }
        static func < (a: Self, b: Self) -> Bool { a.key < b.key }

        var description: String {
            "\(isDrop ? "drop" : "depart"),\(time),\(bytes),\(delay.map { "\($0)" } ?? "")"
        }
    }

    /// Replays a log. Events later than the log's last line do not count.
    /// - Throws: `LinkError` if the link's parameters are out of range.
    public init(_ log: LinkLog, through spec: LinkSpec, seed: UInt64 = 0) throws(LinkError) {
        var link = try LinkModel(spec, seed: seed)
        var expected: [Outcome] = []
        var actual: [Outcome] = []
        let unit = log.unitNanoseconds
        let tellsDelay = log.rows.contains { $0.delay != nil }
        func drain(_ link: inout LinkModel, until instant: Int64) {
            while let event = link.next(until: instant) {
                let isDrop = event.outcome == .lost || event.outcome == .dropped
                let time = event.nanoseconds / unit
                actual.append(
                    Outcome(
                        time: time, isDrop: isDrop, bytes: Int(event.bytes),
                        delay: isDrop || !tellsDelay
                            ? nil : time - event.arrivedNanoseconds / unit))
            }
        }
        for row in log.rows {
            switch row.event {
            case .arrive:
                let instant = row.time * unit
                drain(&link, until: instant)
                link.arrive(id: UInt64(arrivals), bytes: row.bytes, at: instant)
                arrivals += 1
            case .depart, .drop:
                if row.event == .drop { drops += 1 } else { departures += 1 }
                expected.append(
                    Outcome(
                        time: row.time, isDrop: row.event == .drop,
                        bytes: row.bytes, delay: row.delay, line: row.line))
            }
        }
        drain(&link, until: ((log.rows.last?.time ?? 0) + 1) * unit - 1)
        compare(expected.sorted(), actual.sorted())
    }

    private mutating func compare(_ expected: [Outcome], _ actual: [Outcome]) {
        var i = 0
        var j = 0
        while i < expected.count || j < actual.count {
            if i < expected.count, j < actual.count, expected[i] == actual[j] {
                i += 1
                j += 1
                continue
            }
            mismatches += 1
            let isLogs = j == actual.count || (i < expected.count && expected[i] < actual[j])
            if differences.count < Self.mostDifferences {
                differences.append(
                    isLogs
                        ? "- \(expected[i].description) (line \(expected[i].line))"
                        : "+ \(actual[j].description)")
            }
            if isLogs { i += 1 } else { j += 1 }
        }
    }
}
