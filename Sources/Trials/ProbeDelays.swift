import Analysis
package import Results
import Scenario
package import Statistics
import Viewer

extension TrialFiles {
    /// Returns the corrected delays of the steady window that all probes, and all sessions at the
    /// targets of a relay, saw together. The CSV files have them for each stream apart, and
    /// percentiles of streams do not add up.
    ///
    /// - Parameters:
    ///   - directory: Directory of the results of one run. Without a record in it, the histogram is
    ///     empty.
    ///   - stream: Stream whose sessions do not count; nil = all count.
    /// - Throws: `ResultsError` if the record cannot be read.
    package static func probeDelays(
        directory: String, leavingOut stream: String? = nil
    ) throws(ResultsError) -> DelayHistogram {
        guard let record = try RecordFile.read(directory: directory) else {
            return DelayHistogram()
        }
        let viewers = record.plan.viewers
        return record.probes.reduce(into: DelayHistogram()) { sum, probe in
            let own = viewers[probe.index % Plan.sessionStride].stream
            if stream == nil || own != stream { sum.add(probe.delay) }
        }
    }
}
