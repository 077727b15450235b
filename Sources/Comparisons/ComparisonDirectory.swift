import Foundation
package import Results

/// The results directory of a comparison, with the runs of both sides.
package struct ComparisonDirectory: Sendable {
    static let trialsFolder = "trials"

    private let folder: ResultsFolder

    package var path: String { folder.path }

    /// Returns the path that a comparison of this name has.
    package static func path(parent: String, runID: RunID) -> String { "\(parent)/\(runID)" }

    /// Makes the directory.
    ///
    /// - Throws: `ResultsError` if it cannot be made.
    package init(parent: String, runID: RunID) throws(ResultsError) {
        folder = try ResultsFolder(parent: parent, runID: runID, of: "comparison")
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

    /// Writes the scenario of a side for its runs. It holds secrets, so only the owner reads it, and
    /// it is removed after the last run.
    ///
    /// - Returns: The path of the file.
    /// - Throws: `ResultsError` if it cannot be written.
    func writeScenario(_ text: String, side: String) throws(ResultsError) -> String {
        let name = ".\(side).yml"
        try folder.write(unchanged: text, to: name, permissions: 0o600)
        return "\(path)/\(name)"
    }

    func removeScenario(side: String) {
        try? FileManager.default.removeItem(atPath: "\(path)/.\(side).yml")
    }
}
