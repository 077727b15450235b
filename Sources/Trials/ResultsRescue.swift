import Analysis
import Foundation
import Results

extension ResultsWriter {
    /// Writes results into a directory of temporary files if the disk that they were meant for does
    /// not take them, and removes the part that was written to that disk.
    ///
    /// - Parameter error: The error of the first attempt.
    /// - Returns: Path of the directory that holds the results.
    /// - Throws: `error` if the results cannot be written there either.
    func rescue(
        _ results: RunResults, of record: TrialRecord, after error: ResultsError
    ) throws(ResultsError) -> String {
        let files = FileManager.default
        var results = results
        results.summary.notes.append("the results are not where they were meant to be: \(error)")
        guard
            let other = try? ResultsWriter(
                parent: NSTemporaryDirectory() + "millrace-results-\(UUID().uuidString)",
                runID: runID)
        else { throw error }
        // These are logs, and files that the children wrote themselves.
        for name in (try? files.contentsOfDirectory(atPath: partialPath)) ?? []
        where name != StaleRuns.ownerFile {
            try? files.copyItem(
                atPath: "\(partialPath)/\(name)", toPath: "\(other.partialPath)/\(name)")
        }
        guard (try? other.write(results, of: record)) != nil, (try? other.commit()) != nil else {
            try? files.removeItem(atPath: other.partialPath)
            throw error
        }
        try? files.removeItem(atPath: partialPath)
        return other.finalPath
    }
}
