import Foundation
package import Results

/// The results directory of a search.
///
/// It has its final name from the beginning, because an interrupted search goes on in it. Every
/// file is replaced as a whole.
package struct SearchDirectory: Sendable {
    package static let trialsFolder = "trials"
    package static let calibrationsFolder = "calibrations"
    package static let scenarioName = "scenario.resolved.yml"

    package let path: String

    package var trials: String { "\(path)/\(Self.trialsFolder)" }
    package var calibrations: String { "\(path)/\(Self.calibrationsFolder)" }

    /// Opens the directory of a search that goes on.
    package init(path: String) { self.path = path }

    /// Makes the directory of a new search.
    ///
    /// - Throws: `ResultsError` if it cannot be made.
    package init(parent: String, runID: RunID) throws(ResultsError) {
        path = "\(parent)/\(runID)"
        do {
            try FileManager.default.createDirectory(
                atPath: parent, withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
        } catch {
            throw ResultsError(
                path: path,
                message: "the directory of the search cannot be made "
                    + "(\(error.localizedDescription)); give a writable one with --results")
        }
    }

    /// Replaces a file. Secrets of URLs are hidden in it.
    ///
    /// - Throws: `ResultsError` if it cannot be written.
    package func write(_ text: String, to name: String) throws(ResultsError) {
        let file = "\(path)/\(name)"
        do {
            let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true)
            try Data(Redaction.urls(in: text).utf8).write(
                to: URL(fileURLWithPath: file), options: .atomic)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640], ofItemAtPath: file)
        } catch {
            throw ResultsError(
                path: file,
                message: "cannot be written (\(error.localizedDescription)); is the disk full?")
        }
    }

    /// Files that are most of the bytes of a trial's directory. Its report is made without them.
    private static let longFiles = ["record.json", "record.json.gz", "probe_frames.csv"]

    /// Removes the longest files of a trial, because a sweep has hundreds of trials.
    ///
    /// - Parameter directory: The trial's directory as its summary names it.
    func thin(_ directory: String) {
        // The name may come from a file that somebody has changed.
        let name = URL(fileURLWithPath: directory).lastPathComponent
        for file in Self.longFiles {
            try? FileManager.default.removeItem(atPath: "\(trials)/\(name)/\(file)")
        }
    }

    /// Replaces the summary and the rows of the trials.
    ///
    /// - Throws: `ResultsError` if they cannot be written.
    package func write(_ summary: SearchSummary) throws(ResultsError) {
        try write(json: summary, to: "summary.json")
        // The cells of the table are cleaned one by one when it is made.
        try writeRows(SearchRow.csv(summary.rows))
    }

    private func writeRows(_ text: String) throws(ResultsError) {
        let file = "\(path)/\(SearchRow.fileName)"
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640], ofItemAtPath: file)
        } catch {
            throw ResultsError(
                path: file,
                message: "cannot be written (\(error.localizedDescription)); is the disk full?")
        }
    }

    /// Writes the files that do not change: the scenario and the data dictionary.
    ///
    /// - Throws: `ResultsError` if they cannot be written.
    package func writeFirst(resolvedScenario: String) throws(ResultsError) {
        try write(Redaction.keys(in: resolvedScenario), to: Self.scenarioName)
        try write(json: DataDictionary.search, to: "schema.json")
    }

    /// Writes a value as JSON.
    ///
    /// - Throws: `ResultsError` if that cannot be written.
    package func write(json value: some Encodable, to name: String) throws(ResultsError) {
        let text: String
        do {
            text = try ResultsJSON.text(value)
        } catch {
            throw ResultsError(
                path: "\(path)/\(name)", message: "cannot be encoded as JSON: \(error)")
        }
        try write(text, to: name)
    }
}
