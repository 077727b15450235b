import Results
import Statistics

/// Table of frame delay over HLS, hop by hop, from renditions.csv alone.
struct HLSDelayReport {
    static let header = [
        "rendition", "ingest p50", "encoder p50", "packager p50", "p99", "viewer p50", "p99",
        "frames", "missing",
    ]
    static let words =
        "ms from the intended time, but encoder: through it alone; packager: the segment or part "
        + "can be asked for; viewer: a probe has the frame's last byte"

    let cells: [[String]]

    init(_ rows: [RenditionRow]) {
        let probed = rows.filter {
            $0.vantage == "viewer" && $0.playProtocol == "hls" && $0.delayP50Milliseconds != nil
        }
        cells = probed.map { row in
            let missing = row.framesExpected.flatMap { expected in
                row.framesReceived.map { max(0, expected - $0) }
            }
            return [
                row.label, Figure.number(row.ingestDelayP50Milliseconds, digits: 1),
                Figure.number(row.encoderDelayP50Milliseconds, digits: 1),
                Figure.number(row.packagerDelayP50Milliseconds, digits: 0),
                Figure.number(row.packagerDelayP99Milliseconds, digits: 0),
                Figure.number(row.delayP50Milliseconds, digits: 0),
                Figure.number(row.delayP99Milliseconds, digits: 0),
                Figure.integer(row.framesReceived), Figure.integer(missing),
            ]
        }
    }

    /// Text of the table; empty if no probe played HLS.
    var text: String {
        guard !cells.isEmpty else { return "" }
        var table = TextTable(header: Self.header, leftColumns: [0])
        table.rows = cells
        return "FRAME DELAY OVER HLS (\(Self.words))\n" + table.text
    }
}
