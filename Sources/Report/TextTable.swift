import Statistics

/// A table in fixed-width text.
package struct TextTable {
    package var header: [String]
    package var rows: [[String]] = []
    /// Columns that are flush left; the others are flush right.
    package var leftColumns: Set<Int>

    package init(header: [String], leftColumns: Set<Int> = [0]) {
        self.header = header
        self.leftColumns = leftColumns
    }

    package var text: String {
        let all = [header] + rows
        let widths = header.indices.map { column in
            all.map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            let padded = cells.indices.map { column in
                leftColumns.contains(column)
                    ? Figure.flushLeft(cells[column], widths[column])
                    : Figure.flushRight(cells[column], widths[column])
            }
            let text = "  " + padded.joined(separator: "  ")
            return String(text.reversed().drop { $0 == " " }.reversed())
        }
        let rule = widths.map { String(repeating: "─", count: $0) }
        return ([line(header), line(rule)] + rows.map(line)).joined(separator: "\n") + "\n"
    }
}
