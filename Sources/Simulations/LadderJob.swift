package import ABR
import Foundation
package import Results
import Scenario

/// Chooses a ladder and writes the results directory.
package struct LadderJob: Sendable {
    package struct Options: Sendable {
        /// Parent folder of the results directory.
        package var resultsDirectory = "results"
        package var threads = 1
        /// Search method; nil = the exact method if the problem is small enough.
        package var method: LadderSearch.Method?
        package var argv: [String] = []

        package init() {}
    }

    package let scenario: LadderScenario
    package let options: Options
    package let chooser: LadderChooser

    package init(_ scenario: LadderScenario, options: Options) throws {
        self.scenario = scenario
        self.options = options
        chooser = try LadderChooser(
            scenario.problem, method: options.method, threads: options.threads)
    }

    /// - Returns: The directory's path and its summary; nil if the job was cancelled. An incomplete
    ///   search has no answer, so nothing is written.
    package func callAsFunction(
        isCancelled: @escaping @Sendable () -> Bool = { false },
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> (path: String, summary: LadderSummary)? {
        let started = Date().timeIntervalSince1970
        // The directory is made before the search, which takes minutes, so that an unusable folder
        // is reported before that time is spent.
        let writer = try ResultsWriter(
            parent: options.resultsDirectory,
            runID: RunID(secondsSince1970: started, entropy: .random(in: 0 ... .max)))
        var isCommitted = false
        defer {
            if !isCommitted { try? FileManager.default.removeItem(atPath: writer.partialPath) }
        }
        guard
            let choice = try await chooser.choose(
                references: references, isCancelled: isCancelled, progress: progress)
        else { return nil }
        let inputs = SimulationInputs.contentID("ladder", scenario.canonicalYAML, scenario.inputs)
        let summary = LadderSummary(choice, scenario, runID: inputs)
        try write(choice, summary, to: writer, started)
        try writer.commit()
        isCommitted = true
        return (writer.finalPath, summary)
    }

    private func write(
        _ choice: LadderChoice, _ summary: LadderSummary, to writer: ResultsWriter,
        _ started: Double
    ) throws {
        try writer.write(rows(choice, runID: summary.runID))
        try writer.write(json: summary, to: "summary.json")
        try writer.write(scenario.canonicalYAML, to: "scenario.resolved.yml")
        try writer.write(json: DataDictionary.all, to: "schema.json")
        var manifest = Manifest.ofComputation(
            runID: summary.runID, argv: options.argv, started: started)
        manifest.scenario = scenario.name
        manifest.scenarioSHA256 = scenario.sha256
        manifest.seed = scenario.problem.seed
        manifest.inputs = scenario.inputs
        try writer.write(json: manifest, to: "manifest.json")
    }

    private func rows(_ choice: LadderChoice, runID: String) -> [CombinationRow] {
        choice.combinations.map { combination in
            let setting = scenario.problem.settings[combination.setting]
            var row = CombinationRow()
            row.runID = runID
            row.ladder = combination.rungs.map(\.label).joined(separator: " ")
            row.rungs = combination.rungs.count
            row.algorithm = setting.algorithm.description
            row.maximumBufferSeconds = setting.maximumBuffer / 1000
            row.deviceCaps = setting.fitsDevice ? "fitted" : "none"
            row.objective = combination.searched.objective
            row.cores = combination.cores
            row.egressKilobits = combination.searched.egress
            row.stallRatio = combination.searched.stallRatio
            row.meanBitrateKilobits = combination.searched.meanBitrate
            row.switchesPerMinute = combination.searched.switchesPerMinute
            row.allowed = combination.isAllowed ? 1 : 0
            row.pareto = combination.isPareto ? 1 : 0
            return row
        }
    }

    // MARK: References

    /// The preset ladders, with CPU and quality estimated from the candidates.
    private var references: [(name: String, rungs: [LadderCandidate])] {
        Ladder.presets.map { ladder in
            (
                ladder.name,
                ladder.renditions.map { rung in
                    LadderCandidate(
                        bitrate: rung.bitrate, height: rung.height, cores: cores(rung.height),
                        quality: quality(rung.bitrate))
                }
            )
        }
    }

    /// Returns the cores of the candidate nearest in height, scaled by the number of pixels.
    private func cores(_ height: Int) -> Double {
        let nearest = scenario.problem.candidates.min {
            abs($0.height - height) < abs($1.height - height)
        }
        guard let nearest else { return 0 }
        let ratio = Double(height) / Double(nearest.height)
        return nearest.cores * ratio * ratio
    }

    /// Returns a quality between the candidates' qualities, interpolated linearly in the logarithm
    /// of the bit rate.
    private func quality(_ bitrate: Double) -> Double? {
        let known = scenario.problem.candidates.filter { $0.quality != nil }
        guard let first = known.first, let last = known.last else { return nil }
        if bitrate <= first.bitrate { return first.quality }
        if bitrate >= last.bitrate { return last.quality }
        guard let upper = known.firstIndex(where: { $0.bitrate > bitrate }), upper > 0 else {
            return last.quality
        }
        let (a, b) = (known[upper - 1], known[upper])
        let place = log(bitrate / a.bitrate) / log(b.bitrate / a.bitrate)
        return (a.quality ?? 0) + place * ((b.quality ?? 0) - (a.quality ?? 0))
    }
}

extension LadderCandidate {
    /// Short name of the candidate, such as `878@360`.
    var label: String { "\(Quantity.plain(bitrate))@\(height)" }
}
