import Foundation
package import Results
import Scenario

/// Runs a simulation scenario and writes its results directory.
package struct SimulationJob: Sendable {
    package struct Options: Sendable {
        /// Parent folder of the results directory.
        package var resultsDirectory = "results"
        /// Number of cells that run at the same time, at least 1.
        package var threads = 1
        package var argv: [String] = []

        package init() {}
    }

    package let run: SimulationRun
    package let options: Options

    package init(_ scenario: SimulationScenario, options: Options) {
        run = SimulationRun(scenario)
        self.options = options
    }

    /// Identifier of what is simulated, independent of the time of the simulation. The same inputs
    /// give the same identifier, and the same CSV files byte for byte.
    package var contentID: String {
        SimulationInputs.contentID("sim", run.scenario.canonicalYAML, run.scenario.inputs)
    }

    /// - Parameters:
    ///   - isCancelled: Function that is called often. Cells that are finished when it returns true
    ///     are kept.
    ///   - progress: Function that gets the number of finished cells.
    /// - Returns: The directory's path and its summary.
    package func callAsFunction(
        isCancelled: @escaping @Sendable () -> Bool = { false },
        progress: (Int) -> Void = { _ in }
    ) async throws -> (path: String, summary: SimulationSummary) {
        let started = Date().timeIntervalSince1970
        let writer = try ResultsWriter(
            parent: options.resultsDirectory,
            runID: RunID(secondsSince1970: started, entropy: .random(in: 0 ... .max)))
        do {
            let summary = try await write(to: writer, started, isCancelled, progress)
            try writer.commit()
            return (writer.finalPath, summary)
        } catch {
            try? FileManager.default.removeItem(atPath: writer.partialPath)
            throw error
        }
    }

    private func write(
        to writer: ResultsWriter, _ started: Double, _ isCancelled: @escaping @Sendable () -> Bool,
        _ progress: (Int) -> Void
    ) async throws -> SimulationSummary {
        let id = contentID
        var tally = SimulationTally(run, runID: id)
        let viewers = try writer.stream(ViewerRow.self)
        let segments = run.scenario.writesSegments ? try writer.stream(SegmentRow.self) : nil
        var done = 0
        try await run.run(threads: options.threads, isCancelled: isCancelled) { outcome in
            try viewers.write(run.viewerRows(outcome, runID: id))
            try segments?.write(run.segmentRows(outcome, runID: id))
            tally.add(outcome)
            done += 1
            progress(done)
        }
        try viewers.close()
        try segments?.close()
        let summary = tally.finish(interrupted: done < run.cells.count)
        try writer.write(json: manifest(id, started, summary), to: "manifest.json")
        try writer.write(json: summary, to: "summary.json")
        try writer.write(run.scenario.canonicalYAML, to: "scenario.resolved.yml")
        try writer.write(json: DataDictionary.all, to: "schema.json")
        return summary
    }

    private func manifest(
        _ id: String, _ started: Double, _ summary: SimulationSummary
    ) -> Manifest {
        let scenario = run.scenario
        var manifest = Manifest.ofComputation(runID: id, argv: options.argv, started: started)
        manifest.scenario = scenario.name
        manifest.scenarioSHA256 = scenario.sha256
        manifest.seed = scenario.seed
        manifest.inputs = scenario.inputs
        if summary.outcome == "interrupted" {
            manifest.validity.valid = false
            manifest.validity.reasons = [
                "interrupted after \(summary.cells.count) of \(summary.cellsPlanned) cells"
            ]
        }
        return manifest
    }
}

extension Manifest {
    /// Returns the manifest of work in virtual time that ends now.
    static func ofComputation(runID: String, argv: [String], started: Double) -> Manifest {
        var manifest = Manifest()
        manifest.millraceVersion = MillraceVersion.current
        manifest.gitCommit = MillraceVersion.commit
        manifest.runID = runID
        manifest.argv = argv
        manifest.host = .current()
        manifest.stack = "simulation"
        manifest.start = ISO8601Format.text(secondsSince1970: started)
        manifest.end = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        return manifest
    }
}
