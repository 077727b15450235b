import Results
import Statistics

/// Adaptive viewers of a trial, by group: from viewers.csv alone.
struct AdaptiveReport {
    /// One group's figures. Times in seconds, rates in kbit/s.
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
                let stalled = rows.reduce(0) { $0 + ($1.stalledSeconds ?? 0) }
                // Playing, stalled and idle: what came after the start-up.
                let wanted = rows.reduce(0.0) { sum, row in
                    sum + (row.sessionSeconds ?? 0) - (row.startupDelaySeconds ?? 0)
                }
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

    var text: String {
        guard !groups.isEmpty else { return "" }
        var table = TextTable(
            header: [
                "group", "what", "viewers", "failed", "mean kbps", "stalled", "start-up s",
                "switches", "latency s", "received",
            ], leftColumns: [0, 1])
        for group in groups {
            table.rows.append([
                String(group.number), group.name, String(group.viewers), String(group.failed),
                Figure.number(Self.mean(group.bitrates)), Figure.percent(group.stallRatio),
                Figure.number(Self.median(group.startups), digits: 2),
                Figure.number(Self.mean(group.switches), digits: 1),
                Figure.number(Self.median(group.latencies), digits: 2),
                Figure.bytes(group.bytes),
            ])
        }
        return "ADAPTIVE VIEWERS (whole sessions; bytes in the steady window; start-up and "
            + "latency are medians)\n" + table.text
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    private static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : Quantile.of(values, 0.5)
    }
}
