import Foundation
package import Results

/// The results directory of a search, in which an interrupted search goes on.
package struct SearchDirectory: Sendable {
    package static let trialsFolder = "trials"
    package static let calibrationsFolder = "calibrations"
    package static let scenarioName = "scenario.resolved.yml"

    private let folder: ResultsFolder

    package var path: String { folder.path }
    package var trials: String { "\(path)/\(Self.trialsFolder)" }
    package var calibrations: String { "\(path)/\(Self.calibrationsFolder)" }

    /// Opens the directory of a search that goes on.
    package init(path: String) { folder = ResultsFolder(path: path) }

    /// Makes the directory of a new search.
    ///
    /// - Throws: `ResultsError` if it cannot be made.
    package init(parent: String, runID: RunID) throws(ResultsError) {
        folder = try ResultsFolder(parent: parent, runID: runID, of: "search")
    }

    /// Replaces a file. Secrets of URLs are hidden in it.
    ///
    /// - Throws: `ResultsError` if it cannot be written.
    package func write(_ text: String, to name: String) throws(ResultsError) {
        try folder.write(text, to: name)
    }

    /// Writes a value as JSON.
    ///
    /// - Throws: `ResultsError` if that cannot be written.
    package func write(json value: some Encodable, to name: String) throws(ResultsError) {
        try folder.write(json: value, to: name)
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
        try folder.write(unchanged: SearchRow.csv(summary.rows), to: SearchRow.fileName)
    }

    /// Writes the files that do not change: the scenario and the data dictionary.
    ///
    /// - Throws: `ResultsError` if they cannot be written.
    package func writeFirst(resolvedScenario: String) throws(ResultsError) {
        try write(Redaction.keys(in: resolvedScenario), to: Self.scenarioName)
        try write(json: DataDictionary.search, to: "schema.json")
    }
}
