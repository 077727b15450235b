import Results
import Statistics

/// Table of viewers of one rendition by group, for groups that differ in their links; from
/// viewers.csv and probe_frames.csv alone.
struct GroupReport {
    let results: RunResults

    var text: String {
        let rows = results.viewers.filter { $0.playProtocol != "hls" && $0.playProtocol != "sim" }
        let groups = Dictionary(grouping: rows) { $0.group ?? 0 }.sorted { $0.key < $1.key }
        guard groups.count > 1, rows.contains(where: { !$0.link.isEmpty }) else { return "" }
        let delays = Dictionary(grouping: results.probeFrames) { $0.viewer ?? -1 }
        var table = TextTable(
            header: [
                "group", "link", "protocol", "viewers", "failed", "mean kbps", "missing",
                "delay p50 ms", "delay p99 ms", "lost", "dropped",
            ], leftColumns: [0, 1, 2])
        for (number, rows) in groups {
            let frames = rows.flatMap { delays[$0.viewer ?? -2] ?? [] }
                .compactMap(\.viewerDelayMilliseconds)
            func percentile(_ share: Double) -> Double? {
                frames.isEmpty ? nil : Quantile.of(frames, share)
            }
            func sum(_ value: KeyPath<ViewerRow, Int?>) -> Int? {
                let values = rows.compactMap { $0[keyPath: value] }
                return values.isEmpty ? nil : values.reduce(0, +)
            }
            let rates = rows.compactMap(\.meanKilobits)
            table.rows.append([
                String(number), rows[0].link.isEmpty ? "none" : rows[0].link, rows[0].playProtocol,
                String(rows.count), String(rows.count { !$0.error.isEmpty }),
                Figure.number(
                    rates.isEmpty ? nil : rates.reduce(0, +) / Double(rates.count)),
                Figure.integer(sum(\.framesMissing)), Figure.number(percentile(0.5), digits: 2),
                Figure.number(percentile(0.99), digits: 2),
                Figure.integer(sum(\.linkLostPackets)), Figure.integer(sum(\.linkDroppedPackets)),
            ])
        }
        return "GROUPS (delay: probes' frames that the wire saw, too; lost and dropped: packets of "
            + "packet links)\n" + table.text
    }
}
