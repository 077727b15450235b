import Analysis
import Foundation
import HTTPWire
import Results

/// The record of a trial in its results directory: `record.json`, compressed if it is long.
package enum RecordFile {
    static let name = "record.json"
    static let compressedName = "record.json.gz"
    /// A longer record is compressed.
    private static let plainBytes = 10_000_000
    /// A longer record is not read.
    private static let byteLimit = 2_000_000_000

    private struct Fault: Error, CustomStringConvertible { var description: String }

    /// Writes the record with the secrets of its URLs and keys hidden.
    /// - Throws: `ResultsError` if it cannot be written.
    static func write(_ record: TrialRecord, to writer: ResultsWriter) throws(ResultsError) {
        var text: String
        do {
            text = try json(record)
        } catch {
            throw ResultsError(path: name, message: "cannot be encoded as JSON: \(error)")
        }
        guard text.utf8.count > plainBytes else { return try writer.write(text, to: name) }
        text = Redaction.urls(in: text)
        let packed: [UInt8]
        do {
            packed = try text.withUTF8 { try GzipEncoder.encode(UnsafeRawBufferPointer($0)) }
        } catch {
            throw ResultsError(path: compressedName, message: "\(error)")
        }
        try writer.write(bytes: packed, to: compressedName)
    }

    /// Returns the record as it is written, except that `Redaction.urls` has not hidden anything
    /// yet.
    static func json(_ record: TrialRecord) throws -> String {
        var record = record
        record.setup.canonicalYAML = Redaction.keys(in: record.setup.canonicalYAML)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(record), as: UTF8.self) + "\n"
    }

    /// The record of a results directory; nil if the directory holds none.
    /// - Throws: `ResultsError` if the record is damaged or of another version of its form.
    static func read(directory: String) throws(ResultsError) -> TrialRecord? {
        for name in [name, compressedName] {
            let path = "\(directory)/\(name)"
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else { continue }
            do {
                return try parse(name == compressedName ? try unpack(data) : data)
            } catch {
                throw ResultsError(
                    path: path,
                    message: "is no record that this version reads: \(error); without the file, "
                        + "the report is made from the CSV files")
            }
        }
        return nil
    }

    static func parse(_ data: Data) throws -> TrialRecord {
        struct Version: Decodable { var version: Int }
        let decoder = JSONDecoder()
        let version = try decoder.decode(Version.self, from: data).version
        guard version == TrialRecord.currentVersion else {
            throw Fault(
                description:
                    "the record's version is \(version), this program reads version \(TrialRecord.currentVersion)"
            )
        }
        if let number = RecordNumbers.tooLarge(in: data) {
            throw Fault(description: "a number is larger than any that a trial writes (\(number))")
        }
        let record = try decoder.decode(TrialRecord.self, from: data)
        try record.check()
        return record
    }

    private static func unpack(_ data: Data) throws -> Data {
        var result = Data()
        let decoder = try ContentDecoder(coding: "gzip", outputLimit: byteLimit)
        try data.withUnsafeBytes { bytes in
            try decoder.decode(bytes) { result.append(contentsOf: $0) }
        }
        guard decoder.isComplete else {
            throw Fault(description: "the compressed file is cut off")
        }
        return result
    }
}
