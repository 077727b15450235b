/// A table in fixed-width text.
struct TextTable {
    var header: [String]
    var rows: [[String]] = []
    /// Columns that are flush left; the others are flush right.
    var leftColumns: Set<Int> = [0]

    var text: String {
        let all = [header] + rows
        let widths = header.indices.map { column in
            all.map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            let padded = cells.indices.map { column -> String in
                let space = String(repeating: " ", count: widths[column] - cells[column].count)
                return leftColumns.contains(column) ? cells[column] + space : space + cells[column]
            }
            let text = "  " + padded.joined(separator: "  ")
            return String(text.reversed().drop { $0 == " " }.reversed())
        }
        let rule = widths.map { String(repeating: "─", count: $0) }
        return ([line(header), line(rule)] + rows.map(line)).joined(separator: "\n") + "\n"
    }
}

/// Formats figures for human readers.
enum Figure {
    static func number(_ value: Double?, digits: Int = 1) -> String {
        guard let value, value.isFinite else { return "–" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 9e15 else { return "\(value)" }
        let whole = Int(scaled / scale)
        let sign = value < 0 && scaled > 0 ? "−" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fraction = String(Int(scaled) - whole * Int(scale))
        return sign + "\(whole)." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }

    static func integer(_ value: Int?) -> String { value.map(String.init) ?? "–" }

    static func bytes(_ value: Int?) -> String {
        guard let value else { return "–" }
        return value < 1_000_000
            ? number(Double(value) / 1e3) + " kB" : number(Double(value) / 1e6) + " MB"
    }

    static func percent(_ share: Double?) -> String {
        share.map { number($0 * 100) + " %" } ?? "–"
    }
}
