import Analysis
import Foundation
import Results

/// The files of a trial's results directory.
extension ResultsWriter {
    /// Writes every file, the verdict first, and takes away what only a running trial needs.
    func write(_ results: RunResults, of record: TrialRecord) throws(ResultsError) {
        try write(
            manifest: results.manifest, summary: results.summary,
            resolvedScenario: record.setup.canonicalYAML)
        try write(results.renditions)
        try write(results.viewers)
        try write(results.delay)
        try write(results.processes)
        try write(results.wire)
        try write(results.probeFrames)
        if !record.hls.isEmpty { try write(results.segments) }
        if !record.edges.isEmpty { try write(results.edges) }
        try RecordFile.write(record, to: self)
        tidy()
    }

    /// Writes what is known in the middle of the run.
    func writeInterim(_ results: RunResults, of record: TrialRecord) throws(ResultsError) {
        try write(
            manifest: results.manifest, summary: results.summary,
            resolvedScenario: record.setup.canonicalYAML)
        try write(results.renditions)
        try write(results.delay)
        try write(results.processes)
    }

    /// Empty logs say nothing, and the owner's mark is for runs that were cut off.
    private func tidy() {
        let files = FileManager.default
        try? files.removeItem(atPath: "\(partialPath)/\(StaleRuns.ownerFile)")
        for name in (try? files.contentsOfDirectory(atPath: partialPath)) ?? []
        where name.hasSuffix(".log") {
            let path = "\(partialPath)/\(name)"
            let size = (try? files.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
            if size == 0 { try? files.removeItem(atPath: path) }
        }
    }
}
