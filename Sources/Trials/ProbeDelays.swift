import Analysis
package import Results
package import Statistics
import Viewer

extension TrialFiles {
    /// Returns the corrected delays of the steady window that all probes, and all sessions at the
    /// targets of a relay, saw together. The CSV files have them for each stream apart, and
    /// percentiles of streams do not add up.
    ///
    /// - Parameter directory: Directory of the results of one run. Without a record in it, the
    ///   histogram is empty.
    /// - Throws: `ResultsError` if the record cannot be read.
    package static func probeDelays(
        directory: String
    ) throws(ResultsError) -> DelayHistogram {
        guard let record = try RecordFile.read(directory: directory) else {
            return DelayHistogram()
        }
        return record.probes.reduce(into: DelayHistogram()) { $0.add($1.delay) }
    }
}
