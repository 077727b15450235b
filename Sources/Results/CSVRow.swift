/// A row of a results file. Its columns also serve as the file's data dictionary.
public protocol CSVRow: Sendable {
    static var fileName: String { get }
    static var about: String { get }
    static var columns: [CSVColumn<Self>] { get }
    init()
}

extension CSVRow {
    /// Writes the header line and the rows as RFC 4180 text with LF line ends, which the RFC's
    /// readers accept and line tools expect.
    public static func csv(_ rows: [Self]) -> String {
        var text = headerLine
        for row in rows { text += row.csvLine }
        return text
    }

    public static var headerLine: String {
        columns.map(\.name).joined(separator: ",") + "\n"
    }

    public var csvLine: String {
        Self.columns.map { CSVText.escaped(Redaction.urls(in: $0.get(self))) }
            .joined(separator: ",") + "\n"
    }

    /// Reads rows by column name: a missing column stays empty, an unknown one is ignored.
    public static func read(csv text: String) -> [Self] {
        let records = CSVText.records(text)
        guard let header = records.first else { return [] }
        let places = columns.map { column in header.firstIndex(of: column.name) }
        return records.dropFirst().map { record in
            var row = Self()
            for (column, place) in zip(columns, places) {
                guard let place, place < record.count, !record[place].isEmpty else { continue }
                column.set(&row, record[place])
            }
            return row
        }
    }
}

/// RFC 4180 quoting and splitting.
public enum CSVText {
    public static func escaped(_ field: String) -> String {
        let special = field.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        return special ? "\"" + field.replacing("\"", with: "\"\"") + "\"" : field
    }

    /// Returns the records of `text`. LF and CRLF both end a line; blank lines and a missing last
    /// line end are tolerated.
    public static func records(_ text: String) -> [[String]] {
        var records: [[String]] = []
        var record: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var bytes = Array(text.utf8)[...]
        func endField() {
            record.append(String(decoding: field, as: UTF8.self))
            field.removeAll(keepingCapacity: true)
        }
        while let byte = bytes.popFirst() {
            switch byte {
            case 0x22 where isQuoted:
                if bytes.first == 0x22 {
                    field.append(bytes.removeFirst())
                } else {
                    isQuoted = false
                }
            case 0x22 where field.isEmpty: isQuoted = true
            case 0x2C where !isQuoted: endField()
            case 0x0D where !isQuoted && bytes.first == 0x0A: break
            case 0x0A where !isQuoted:
                endField()
                if record != [""] { records.append(record) }
                record = []
            default: field.append(byte)
            }
        }
        if !field.isEmpty || !record.isEmpty {
            endField()
            records.append(record)
        }
        return records
    }
}
