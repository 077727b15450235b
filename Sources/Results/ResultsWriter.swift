import Foundation

/// Writes a results directory: every file appears whole or not at all.
///
/// The directory itself has a temporary name (`.<run-id>.partial`) until `commit()`.
public struct ResultsWriter: Sendable {
    public let runID: RunID
    /// Path after the commit: `DIR/<run-id>`.
    public let finalPath: String
    /// Path of the files until then.
    public let partialPath: String

    /// - Throws: `ResultsError` if the directory cannot be made.
    public init(parent: String, runID: RunID) throws(ResultsError) {
        self.runID = runID
        finalPath = "\(parent)/\(runID)"
        partialPath = "\(parent)/.\(runID).partial"
        do {
            try FileManager.default.createDirectory(
                atPath: parent, withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: partialPath, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
        } catch {
            throw ResultsError(
                path: parent,
                message: "the results directory cannot be made (\(error.localizedDescription)); "
                    + "give a writable one with --results")
        }
    }

    /// Writes `text` to `name`, through a temporary file and a rename.
    public func write(_ text: String, to name: String) throws(ResultsError) {
        try put(Redaction.urls(in: text), to: name)
    }

    private func put(_ text: String, to name: String) throws(ResultsError) {
        try write(bytes: text.utf8, to: name)
    }

    /// Writes bytes as they are: nothing is hidden in them.
    public func write(
        bytes: some Sequence<UInt8>, to name: String
    ) throws(ResultsError) {
        let path = "\(partialPath)/\(name)"
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw ResultsError(
                path: path,
                message: "cannot be written (\(error.localizedDescription)); is the disk full?")
        }
    }

    public func write<Row: CSVRow>(_ rows: [Row]) throws(ResultsError) {
        try put(Row.csv(rows), to: Row.fileName)
    }

    /// Opens a file that is written row by row.
    public func stream<Row: CSVRow>(_ row: Row.Type) throws(ResultsError) -> CSVStream<Row> {
        try CSVStream(path: "\(partialPath)/\(Row.fileName)")
    }

    public func write(json value: some Encodable, to name: String) throws(ResultsError) {
        let text: String
        do {
            text = try ResultsJSON.text(value)
        } catch {
            throw ResultsError(path: name, message: "cannot be encoded as JSON: \(error)")
        }
        try write(text, to: name)
    }

    /// Writes the manifest, the summary, the scenario and the data dictionary.
    public func write(
        manifest: Manifest, summary: Summary, resolvedScenario: String
    ) throws(ResultsError) {
        try write(json: manifest, to: "manifest.json")
        try write(json: summary, to: "summary.json")
        try write(Redaction.keys(in: resolvedScenario), to: "scenario.resolved.yml")
        try write(json: DataDictionary.all, to: "schema.json")
    }

    /// Restricts files to their owner and the owner's group, whoever wrote them.
    private func protectFiles() {
        let files = FileManager.default
        for case let name as String in files.enumerator(atPath: partialPath) ?? .init() {
            let path = "\(partialPath)/\(name)"
            let kind = (try? files.attributesOfItem(atPath: path))?[.type] as? FileAttributeType
            guard kind == .typeRegular || kind == .typeDirectory else { continue }
            try? files.setAttributes(
                [.posixPermissions: kind == .typeDirectory ? 0o750 : 0o640], ofItemAtPath: path)
        }
    }

    /// Gives the directory its final name.
    public func commit() throws(ResultsError) {
        protectFiles()
        do {
            try FileManager.default.moveItem(atPath: partialPath, toPath: finalPath)
        } catch {
            throw ResultsError(
                path: finalPath,
                message: "cannot take its final name (\(error.localizedDescription)); "
                    + "the files are in \(partialPath)")
        }
    }
}

/// The JSON style of results: sorted keys, readable, one line end at the end.
public enum ResultsJSON {
    public static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }

    static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in
            guard let key = path.last else { return Key(stringValue: "") }
            return Key(stringValue: camelCase(key.stringValue))
        }
        return decoder
    }

    /// Turns `run_id` into `runID`: the acronyms of this module keep their case.
    static func camelCase(_ snake: String) -> String {
        let acronyms: Set<Substring> = ["id", "sha256", "cpu", "rss"]
        let parts = snake.split(separator: "_")
        return parts.enumerated().map { index, part in
            if index == 0 { return String(part) }
            return acronyms.contains(part) ? part.uppercased() : part.capitalized
        }.joined()
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
