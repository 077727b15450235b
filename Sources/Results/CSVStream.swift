import Foundation

/// A results file that grows row by row, in a directory that still has its temporary name.
public final class CSVStream<Row: CSVRow> {
    /// Number of bytes collected before they are written.
    private static var bufferBytes: Int { 1 << 20 }

    private let path: String
    private let file: FileHandle
    private var text = Row.headerLine

    init(path: String) throws(ResultsError) {
        self.path = path
        guard
            FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o640]),
            let file = FileHandle(forWritingAtPath: path)
        else {
            throw ResultsError(path: path, message: "cannot be made; is the disk full?")
        }
        self.file = file
    }

    public func write(_ rows: [Row]) throws(ResultsError) {
        for row in rows {
            text += row.csvLine
            if text.utf8.count >= Self.bufferBytes { try flush() }
        }
    }

    public func close() throws(ResultsError) {
        try flush()
        try attempt { try file.close() }
    }

    private func flush() throws(ResultsError) {
        try attempt { try file.write(contentsOf: Data(text.utf8)) }
        text.removeAll(keepingCapacity: true)
    }

    private func attempt(_ work: () throws -> Void) throws(ResultsError) {
        do {
            try work()
        } catch {
            throw ResultsError(
                path: path,
                message: "cannot be written (\(error.localizedDescription)); is the disk full?")
        }
    }
}
