/// `schema.json`: the meaning of each file and column.
public struct DataDictionary: Codable, Sendable {
    public struct Column: Codable, Sendable {
        public var name: String
        public var type: String
        public var unit: String
        public var description: String
    }

    public struct File: Codable, Sendable {
        public var name: String
        public var description: String
        public var columns: [Column]

        init<Row: CSVRow>(_ row: Row.Type) {
            name = Row.fileName
            description = Row.about
            columns = Row.columns.map {
                Column(name: $0.name, type: $0.type, unit: $0.unit, description: $0.about)
            }
        }
    }

    public var version: Int
    public var files: [File]

    public static let all = DataDictionary(
        version: 1,
        files: [
            File(RenditionRow.self), File(ViewerRow.self), File(DelayRow.self),
            File(ProcessRow.self), File(WireRow.self), File(ProbeFrameRow.self),
            File(SegmentRow.self),
            File(EdgeRow.self),
            File(CombinationRow.self),
            File(FidelityRow.self),
        ])

    /// Files of a capacity search. Each of its trials has a directory with a dictionary of its own.
    public static let search = DataDictionary(version: 1, files: [File(SearchRow.self)])
}
