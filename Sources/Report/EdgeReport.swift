import Results
import Statistics

/// Table of a trial's edges and the load that they kept from the origin.
struct EdgeReport {
    private let rows: [EdgeRow]
    private let summary: EdgeSummary?

    init(_ rows: [EdgeRow], _ summary: EdgeSummary?) {
        self.rows = rows
        self.summary = summary
    }

    static let header = [
        "edge", "kind", "requests", "hit", "collapsed", "missed", "failed", "to clients",
        "origin requests", "from origin", "evicted",
    ]

    /// Cells with a row of figures for each edge and kind.
    var cells: [[String]] {
        rows.map { row in
            [
                row.edge, row.kind, Figure.integer(row.requests), Figure.integer(row.hits),
                Figure.integer(row.collapsed), Figure.integer(row.misses),
                Figure.integer(row.failures), Figure.bytes(row.clientBytes),
                Figure.integer(row.originRequests), Figure.bytes(row.originBytes),
                Figure.integer(row.evictions),
            ]
        }
    }

    var text: String {
        guard !rows.isEmpty else { return "" }
        var table = TextTable(header: Self.header, leftColumns: [0, 1])
        table.rows = cells
        return "EDGES (whole run; bodies only; direct = viewers that go straight to the origin)\n"
            + table.text + words
    }

    /// Lines that explain the figures.
    var words: String {
        guard let summary else { return "" }
        var lines: [String] = []
        if summary.wanRatio != nil {
            lines.append(
                "  \(summary.distinctSegments) distinct segments "
                    + "(\(Figure.bytes(summary.distinctBytes))) through \(summary.edges) edges: "
                    + "\(Figure.bytes(summary.wanBytes)) from the origin = "
                    + "\(Figure.percent(summary.wanRatio)) of segments × edges; "
                    + "\(Figure.number(summary.requestsPerSegment, digits: 2)) origin requests a segment"
            )
        }
        if let near = summary.edgeFetchMilliseconds {
            var line = "  segment fetch time p50: \(Figure.number(near)) ms from edges"
            if let far = summary.originFetchMilliseconds {
                line += ", \(Figure.number(far)) ms from the origin"
            }
            if let saved = summary.fetchSavedMilliseconds {
                line += ": \(Figure.number(saved)) ms saved between groups alike but for the way"
            }
            lines.append(line)
        }
        lines += (summary.withheld ?? []).map { "  \($0)" }
        return lines.map { $0 + "\n" }.joined()
    }
}
