import Foundation
package import Results
import Scenario
import SimulationKernel
import Statistics

/// Runs a capacity search: one trial after the other, for each value of the sweep and each repeat.
///
/// The summary is written after every trial. Trials that are in a summary are not run again, so a
/// search goes on where it was interrupted.
package actor SearchRunner {
    package struct Options: Sendable {
        package var isQuiet = false
        package var argv: [String] = []
        package var notes: [String] = []
        /// Time between trials, in which the processes of the last one disappear.
        package var settle = Duration.milliseconds(300)

        package init() {}
    }

    private let plan: SearchPlan
    private let trials: any SearchTrialRunning
    private let directory: SearchDirectory
    private let options: Options
    private var progress: SearchProgress
    private var isInterrupted = false
    /// Whether a fault ended the search. What is known is reported, and the search can go on.
    private var hasFailed = false
    /// The searches in the order of the plan's cells.
    private var searches: [CapacitySearch]
    private var summary: SearchSummary

    /// - Parameters:
    ///   - summary: Summary of the search that goes on; nil = the search begins.
    /// - Throws: `ResultsError` if the summary is not one of this plan, or `CapacitySearch.Fault`.
    package init(
        _ plan: SearchPlan, trials: any SearchTrialRunning, directory: SearchDirectory,
        resuming summary: SearchSummary? = nil, options: Options
    ) throws {
        self.plan = plan
        self.trials = trials
        self.directory = directory
        self.options = options
        progress = SearchProgress(quiet: options.isQuiet)
        let fresh = plan.emptySummary(
            runID: URL(fileURLWithPath: directory.path).lastPathComponent, argv: options.argv,
            notes: options.notes)
        var searches: [CapacitySearch] = []
        for _ in plan.cells { searches.append(try CapacitySearch(plan.settings)) }
        var state = summary ?? fresh
        if let summary {
            let path = "\(directory.path)/summary.json"
            try plan.check(summary, path: path)
            try plan.replay(summary, into: &searches, path: path)
            state.outcome = fresh.outcome
            state.budgetS = fresh.budgetS
            state.method = fresh.method
            // What was said of the end of the search is no longer so.
            state.notes.removeAll { note in
                note.hasPrefix(SearchRunner.failureWords)
                    || note.hasPrefix(SearchRunner.noTimeWords)
                    || note.hasPrefix(SearchSweepFigures.noFitWords)
                    || note.hasPrefix(SearchSweepFigures.openWords)
            }
            state.notes += options.notes.filter { !summary.notes.contains($0) }
        }
        self.searches = searches
        self.summary = state
    }

    /// Ends the search after the trial that runs now, which is cut short. What is known is written.
    package func interrupt() async {
        isInterrupted = true
        await trials.interrupt()
    }

    private static let failureWords = "the search ended before its time: "
    private static let noTimeWords = "not calibrated at the capacity: "

    /// Runs to the end. A fault in the middle, such as a full disk, ends the search like an
    /// interruption: a note says why, and what is known is returned.
    ///
    /// - Throws: `ResultsError` if nothing can be written before the first trial.
    package func run() async throws -> SearchSummary {
        try directory.writeFirst(resolvedScenario: plan.scenario.canonicalYAML)
        var manifest = plan.manifest(runID: summary.runID, argv: options.argv)
        manifest.start = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        try directory.write(json: manifest, to: "manifest.json")
        try save()
        for index in searches.indices where !isInterrupted && !hasFailed {
            do {
                try await searchAndCalibrate(index)
            } catch {
                fail(index, error)
            }
        }
        summary.outcome = outcome
        SearchSweepFigures(plan: plan).fill(&summary)
        manifest.end = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        do {
            try save()
            try directory.write(json: manifest, to: "manifest.json")
        } catch {
            progress.say("\(error)")
        }
        progress.end()
        return summary
    }

    private func searchAndCalibrate(_ index: Int) async throws {
        try await calibrate(index, at: plan.startLoad)
        try await search(index)
        guard let capacity = summary.searches[index].capacity else { return }
        let seconds = searches[index].expectedSeconds(plan.search.trial.seconds)
        guard searches[index].spentSeconds + seconds <= plan.search.budget.seconds else {
            let note = Self.noTimeWords + "the budget of the search was spent"
            if plan.search.calibrates, !summary.notes.contains(note) { summary.notes.append(note) }
            return
        }
        try await calibrate(index, at: capacity)
    }

    private func fail(_ index: Int, _ error: any Error) {
        hasFailed = true
        summary.searches[index].end = "interrupted"
        fillBounds(index)
        let note = Self.failureWords + "\(error)"
        summary.notes.append(note)
        progress.say(note)
    }

    private var outcome: String {
        if isInterrupted || hasFailed { return "interrupted" }
        if summary.searches.allSatisfy({ $0.capacity != nil }) { return "complete" }
        let isVoid = !summary.trials.contains { $0.voidReason == nil }
        return isVoid ? "void" : "inconclusive"
    }

    // MARK: One search

    private func search(_ index: Int) async throws {
        while !isInterrupted {
            switch searches[index].next() {
            case .done(let end):
                summary.searches[index].end = end.rawValue
                fillBounds(index)
                thinTrials(index)
                return
            case .trial(let load, let seconds):
                if try await trial(index, load: load, seconds: seconds) {
                    try save()
                    try? await Task.sleep(for: options.settle)
                } else {
                    isInterrupted = true
                }
            }
        }
        summary.searches[index].end = "interrupted"
        fillBounds(index)
    }

    /// Runs one trial and records it.
    /// - Returns: false if the trial was interrupted.
    private func trial(_ index: Int, load: Int, seconds: Double) async throws -> Bool {
        let scenario = try plan.trial(load: load, seconds: seconds, cell: index)
        let number = summary.trials.count + 1
        let name = Self.directoryName(number, load: load)
        showProgress(index, running: load)
        let start = ContinuousClock.now
        guard
            let seen = try await trials.run(scenario, folder: directory.trials, name: name)
        else { return false }
        var trial = SearchSummary.Trial(
            number: number, search: index, load: load, durationS: seconds,
            wallS: (ContinuousClock.now - start + options.settle).seconds)
        trial.voidReason = seen.voidReason
        trial.failure = seen.failure
        trial.verdicts = seen.voidReason == nil ? plan.judge(seen) : []
        trial.deliveredMbps = seen.deliveredMegabits
        trial.serverCPUPercent = seen.serverCPUPercent
        trial.busiest = seen.busiest
        trial.directory = "\(SearchDirectory.trialsFolder)/\(name)"
        try searches[index].record(.init(trial))
        summary.trials.append(trial)
        fillBounds(index)
        showProgress(index, running: nil)
        return true
    }

    /// Removes the longest files of the trials that are not at a bound.
    private func thinTrials(_ index: Int) {
        let bounds = Set(
            summary.searches[index].bounds.flatMap { [$0.lowerBound, $0.upperBound] }
                .compactMap { $0 })
        for trial in summary.trials
        where trial.search == index && !bounds.contains(trial.load) && !trial.directory.isEmpty {
            directory.thin(trial.directory)
        }
    }

    /// Name of the directory of the n-th trial or calibration.
    private static func directoryName(_ number: Int, load: Int) -> String {
        String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)-load-\(load)"
    }

    private func fillBounds(_ index: Int) {
        summary.searches[index].bounds = plan.goals.indices.compactMap {
            searches[index].result(ofGoal: $0).map(SearchSummary.Bound.init)
        }
    }

    // MARK: Calibration

    /// Runs the generators without the server under test, unless that is known for this value of
    /// the sweep and this load. At the start load, a void calibration is repeated like a void trial;
    /// if none is valid, the generators cannot offer the load, which bounds the search.
    ///
    /// At the capacity, a void calibration is only reported, because the trials there were valid.
    private func calibrate(_ index: Int, at load: Int) async throws {
        guard plan.search.calibrates else { return }
        let most = load == plan.startLoad ? CapacitySearch.voidLimit : 1
        while !isInterrupted {
            let known = plan.calibrations(summary, cell: index, load: load)
            if known.count >= most || known.contains(where: { $0.voidReason == nil }) { break }
            guard try await calibrateOnce(index, at: load) else { return }
        }
        if plan.cannotOfferStart(summary, cell: index) {
            searches[index].limitGenerators(to: plan.startLoad)
        }
    }

    /// - Returns: false if there is no calibration, or it was interrupted.
    private func calibrateOnce(_ index: Int, at load: Int) async throws -> Bool {
        let scenario: TrialScenario
        switch plan.calibration(load: load, cell: index) {
        case .success(let found): scenario = found
        case .failure(let fault):
            if !summary.notes.contains(fault.message) { summary.notes.append(fault.message) }
            return false
        }
        progress.say("calibration without the server, load \(plan.words(load))")
        let start = ContinuousClock.now
        let name = Self.directoryName(summary.calibrations.count + 1, load: load)
        guard
            let seen = try await trials.run(
                scenario, folder: directory.calibrations, name: name)
        else {
            isInterrupted = true
            return false
        }
        var calibration = SearchSummary.Calibration(
            search: index, load: load,
            wallS: (ContinuousClock.now - start + options.settle).seconds)
        // Here the generators are under test, so publishers that cannot send are no good.
        calibration.voidReason = seen.voidReason ?? seen.failure
        calibration.delayP99Ms = seen.delayP99Milliseconds
        calibration.generatorCPUPercent = seen.generatorCPUPercent
        summary.calibrations.append(calibration)
        searches[index].spend(seconds: calibration.wallS)
        try save()
        try? await Task.sleep(for: options.settle)
        return true
    }

    // MARK: Files and progress

    private func save() throws { try directory.write(summary) }

    private func showProgress(_ index: Int, running load: Int?) {
        progress.show(
            summary, search: index, running: load.map(plan.words),
            spentSeconds: searches[index].spentSeconds)
    }
}
