import Results
import Statistics

/// Table of a trial's adaptive viewers by group, from viewers.csv alone.
struct AdaptiveReport {
    /// Figures of one group. Times are in seconds, rates in kbit/s.
    struct Group {
        var number: Int
        var name: String
        var viewers: Int
        var bitrates: [Double]
        var stallRatio: Double?
        var startups: [Double]
        var switches: [Double]
        var latencies: [Double]
        var bytes: Int
        var failed: Int
    }

    let groups: [Group]

    init(_ rows: [ViewerRow]) {
        let adaptive = rows.filter { $0.playProtocol == "hls" }
        groups = Dictionary(grouping: adaptive) { $0.group ?? 0 }.sorted { $0.key < $1.key }
            .map { number, rows in
                // Sessions that never began do not count, as in the metric stall_ratio.
                let played = rows.filter { $0.playSeconds != nil }
                let stalled = played.reduce(0) { $0 + ($1.stalledSeconds ?? 0) }
                let wanted = played.reduce(stalled) { $0 + ($1.playSeconds ?? 0) }
                let first = rows[0]
                let what = [first.algorithm, first.link].filter { !$0.isEmpty }
                return Group(
                    number: number,
                    name: what.joined(separator: ", ")
                        + (first.rendition == "all" ? "" : " " + first.rendition),
                    viewers: rows.count, bitrates: rows.compactMap(\.meanBitrateKilobits),
                    stallRatio: wanted > 0 ? stalled / wanted : nil,
                    startups: rows.compactMap(\.startupDelaySeconds),
                    switches: rows.compactMap { $0.switches.map(Double.init) },
                    latencies: rows.compactMap(\.liveLatencySeconds),
                    bytes: rows.reduce(0) { $0 + ($1.playBytes ?? 0) },
                    failed: rows.count { !$0.error.isEmpty })
            }
    }

    static let header = [
        "group", "what", "viewers", "failed", "mean kbps", "stalled", "start-up s", "switches",
        "latency s", "received",
    ]
    static let words =
        "whole sessions; bytes in the steady window; stalled is the share of playing "
        + "and stalled time; start-up and latency are medians"

    /// Cells with a row of figures for each group.
    var cells: [[String]] {
        groups.map { group in
            [
                String(group.number), group.name, String(group.viewers), String(group.failed),
                Figure.number(Self.mean(group.bitrates)), Figure.percent(group.stallRatio),
                Figure.number(Self.median(group.startups), digits: 2),
                Figure.number(Self.mean(group.switches), digits: 1),
                Figure.number(Self.median(group.latencies), digits: 2),
                Figure.bytes(group.bytes),
            ]
        }
    }

    var text: String {
        guard !groups.isEmpty else { return "" }
        var table = TextTable(header: Self.header, leftColumns: [0, 1])
        table.rows = cells
        return "ADAPTIVE VIEWERS (\(Self.words))\n" + table.text
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    private static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : Quantile.of(values, 0.5)
    }
}
