package import Analysis
import Foundation
import Glibc
package import Results

/// The files of a trial's results directory.
package enum TrialFiles {
    /// Every file that is computed from the record, the verdict first.
    /// - Throws: An error if a figure is not finite.
    package static func all(
        _ results: RunResults, of record: TrialRecord
    ) throws -> [(name: String, text: String)] {
        var files = try verdict(results, of: record)
        func add<Row: CSVRow>(_ rows: [Row]) { files.append((Row.fileName, Row.csv(rows))) }
        add(results.renditions)
        add(results.viewers)
        add(results.delay)
        add(results.processes)
        add(results.wire)
        add(results.probeFrames)
        if !record.hls.isEmpty { add(results.segments) }
        if !record.edges.isEmpty { add(results.edges) }
        return files
    }

    /// The files that are written in the middle of the run.
    static func interim(
        _ results: RunResults, of record: TrialRecord
    ) throws -> [(name: String, text: String)] {
        try verdict(results, of: record) + [
            (RenditionRow.fileName, RenditionRow.csv(results.renditions)),
            (DelayRow.fileName, DelayRow.csv(results.delay)),
            (ProcessRow.fileName, ProcessRow.csv(results.processes)),
        ]
    }

    /// The files with the verdict. The secrets of URLs and keys are hidden in all of them.
    private static func verdict(
        _ results: RunResults, of record: TrialRecord
    ) throws -> [(name: String, text: String)] {
        [
            ("manifest.json", Redaction.urls(in: try ResultsJSON.text(results.manifest))),
            ("summary.json", Redaction.urls(in: try ResultsJSON.text(results.summary))),
            (
                "scenario.resolved.yml",
                Redaction.urls(in: Redaction.keys(in: record.setup.canonicalYAML))
            ),
            ("schema.json", try ResultsJSON.text(DataDictionary.all)),
        ]
    }

    /// Computes the figures of a results directory again from its record, and replaces the files
    /// that this version computes with other contents.
    ///
    /// - Returns: The results and the names of the files that were replaced; nil if the directory
    ///   holds no record.
    /// - Throws: `ResultsError` if the record cannot be read or a file cannot be written.
    package static func refresh(
        directory: String
    ) throws(ResultsError) -> (results: RunResults, replaced: [String])? {
        guard let record = try RecordFile.read(directory: directory) else { return nil }
        let old = try RunResults(path: directory)
        var results = record.results
        results.path = directory
        results.fidelity = old.fidelity
        var replaced: [String] = []
        do {
            for (name, text) in try all(results, of: record) {
                let path = "\(directory)/\(name)"
                guard (try? String(contentsOfFile: path, encoding: .utf8)) != text else { continue }
                try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o640], ofItemAtPath: path)
                replaced.append(name)
            }
        } catch {
            throw ResultsError(
                path: directory,
                message: "the figures were computed again and cannot be written "
                    + "(\(error.localizedDescription)); make the directory writable")
        }
        return (results, replaced)
    }
}

extension ResultsWriter {
    /// Writes the files of a run that has not begun. They say that the run was cut off, for they
    /// remain if it is.
    func writeFirst(
        _ manifest: Manifest, viewers: Int, resolvedScenario: String
    ) throws(ResultsError) {
        var manifest = manifest
        manifest.validity.valid = false
        manifest.validity.reasons = ["the run was cut off before its end"]
        var summary = Summary()
        summary.outcome = .interrupted
        summary.viewersPlanned = viewers
        try write(manifest: manifest, summary: summary, resolvedScenario: resolvedScenario)
        try write("\(getpid())\n", to: StaleRuns.ownerFile)
    }

    /// Writes every file, and takes away what only a running trial needs.
    func write(_ results: RunResults, of record: TrialRecord) throws(ResultsError) {
        try write { try TrialFiles.all(results, of: record) }
        try RecordFile.write(record, to: self)
        tidy()
    }

    /// Writes what is known in the middle of the run.
    func writeInterim(_ results: RunResults, of record: TrialRecord) throws(ResultsError) {
        try write { try TrialFiles.interim(results, of: record) }
    }

    private func write(
        _ files: () throws -> [(name: String, text: String)]
    ) throws(ResultsError) {
        let made: [(name: String, text: String)]
        do {
            made = try files()
        } catch {
            throw ResultsError(path: partialPath, message: "cannot be encoded as JSON: \(error)")
        }
        for (name, text) in made { try write(bytes: text.utf8, to: name) }
    }

    /// Removes empty logs, which say nothing, and the owner's mark, which is for runs that were cut
    /// off.
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
