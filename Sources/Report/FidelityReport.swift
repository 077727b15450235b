public import Results
import Statistics

/// Table of adaptive viewers on sockets beside the same viewers simulated.
public struct FidelityReport: Sendable {
    private let rows: [FidelityRow]

    public init(_ rows: [FidelityRow]) { self.rows = rows }

    /// Whether every difference is within its limit.
    public var agrees: Bool { rows.allSatisfy { $0.within == 1 } }

    /// Text of the table; empty if nothing was compared.
    public var text: String {
        guard !rows.isEmpty else { return "" }
        var table = TextTable(
            header: [
                "", "group", "algorithm", "link", "sessions", "metric", "measured", "simulated",
                "difference", "limit",
            ], leftColumns: [0, 2, 3, 5])
        for row in rows {
            table.rows.append([
                row.within == 1 ? "✓" : "✗", Figure.integer(row.group), row.algorithm, row.link,
                Figure.integer(row.sessions), row.metric,
                Figure.number(row.measured, digits: 2), Figure.number(row.simulated, digits: 2),
                Figure.number(row.difference, digits: 2), Figure.number(row.limit, digits: 2),
            ])
        }
        let within = rows.count { $0.within == 1 }
        return "SIMULATED AND MEASURED (medians of sessions; \(within) of \(rows.count) within "
            + "their limits)\n" + table.text
    }
}
