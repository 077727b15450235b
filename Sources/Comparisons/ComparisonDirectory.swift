import Foundation
package import Results

/// The results directory of a comparison. Every file in it is replaced as a whole.
package struct ComparisonDirectory: Sendable {
    static let trialsFolder = "trials"

    package let path: String

    /// Returns the path that a comparison of this name has.
    package static func path(parent: String, runID: RunID) -> String { "\(parent)/\(runID)" }

    /// Makes the directory.
    ///
    /// - Throws: `ResultsError` if it cannot be made.
    package init(parent: String, runID: RunID) throws(ResultsError) {
        path = Self.path(parent: parent, runID: runID)
        do {
            try FileManager.default.createDirectory(
                atPath: parent, withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
        } catch {
            throw ResultsError(
                path: path,
                message: "the directory of the comparison cannot be made "
                    + "(\(error.localizedDescription)); give a writable one with --results")
        }
    }

    /// Replaces a file. Secrets of URLs are hidden in it.
    ///
    /// - Throws: `ResultsError` if it cannot be written.
    package func write(_ text: String, to name: String) throws(ResultsError) {
        try put(Redaction.urls(in: text), to: name, permissions: 0o640)
    }

    /// Writes a value as JSON.
    ///
    /// - Throws: `ResultsError` if that cannot be written.
    package func write(json value: some Encodable, to name: String) throws(ResultsError) {
        try write(try Self.text(value, path: "\(path)/\(name)"), to: name)
    }

    static func text(_ value: some Encodable, path: String) throws(ResultsError) -> String {
        do {
            return try ResultsJSON.text(value)
        } catch {
            throw ResultsError(path: path, message: "cannot be encoded as JSON: \(error)")
        }
    }

    /// Writes the scenario of a side for its runs. It holds secrets, so only the owner reads it, and
    /// it is removed after the last run.
    ///
    /// - Returns: The path of the file.
    /// - Throws: `ResultsError` if it cannot be written.
    func writeScenario(_ text: String, side: String) throws(ResultsError) -> String {
        let name = ".\(side).yml"
        try put(text, to: name, permissions: 0o600)
        return "\(path)/\(name)"
    }

    func removeScenario(side: String) {
        try? FileManager.default.removeItem(atPath: "\(path)/.\(side).yml")
    }

    private func put(_ text: String, to name: String, permissions: Int) throws(ResultsError) {
        let file = "\(path)/\(name)"
        do {
            // The file gets its permissions before it gets its name.
            let partial = "\(path)/.\(name).partial"
            guard
                FileManager.default.createFile(
                    atPath: partial, contents: nil, attributes: [.posixPermissions: permissions])
            else { throw CocoaError(.fileWriteUnknown) }
            try Data(text.utf8).write(to: URL(fileURLWithPath: partial))
            guard rename(partial, file) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            throw ResultsError(
                path: file,
                message: "cannot be written (\(error.localizedDescription)); is the disk full?")
        }
    }
}
