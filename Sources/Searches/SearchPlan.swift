import Results
package import Scenario
import SimulationKernel
package import Statistics

/// What a search does, before its first trial: its goals, its loads, and the scenario of each
/// trial.
package struct SearchPlan: Sendable {
    /// One search: a value of the sweep and the number of its repeat, from 1.
    package struct Cell: Sendable, Hashable {
        /// Value of the swept key; nil without a sweep.
        package var value: SearchedValue?
        package var repetition: Int
    }

    package let scenario: TrialScenario
    package let search: SearchSettings
    package let goals: [SearchGoalSettings]
    package let settings: CapacitySearch.Settings
    /// All searches. Repeats go round the values, so that a machine that changes over time changes
    /// every value.
    package let cells: [Cell]
    /// Driver of a server that does next to nothing.
    private static let calibrationDriver = "floor"
    private let tree: ScenarioTree
    private let folder: String

    /// - Parameters:
    ///   - file: File name in faults.
    ///   - folder: Folder to which file names in the scenario are relative.
    /// - Throws: `InputFault` if the scenario has no search, or `ScenarioErrors`.
    package init(_ scenario: TrialScenario, file: String, folder: String) throws {
        guard let search = scenario.search, let lowest = search.from.load,
            let highest = search.to.load, let start = search.firstLoad.load
        else {
            throw InputFault(
                message: "\(file): has no search; add 'search: {vary: viewers.count, from: 10, "
                    + "to: 1000}', or give --vary, --from and --to")
        }
        self.scenario = scenario
        self.search = search
        self.folder = folder
        tree = try ScenarioTree(scenario, file: file, folder: folder)
        goals = scenario.searchGoals
        var settings = CapacitySearch.Settings(
            lowestLoad: lowest, highestLoad: highest, startLoad: start,
            goals: goals.map { goal in
                SearchGoal(
                    name: goal.name, exceedRatio: goal.exceedRatio,
                    initialSeconds: search.trial.seconds,
                    finalSeconds: search.finalTrial.seconds, sumSeconds: search.sum.seconds,
                    relativeWidth: search.width)
            }, budgetSeconds: search.budget.seconds)
        settings.overheadSeconds = (scenario.warmup + scenario.drain).seconds + 3
        // The calibration at the capacity comes after the search, and in its time.
        let isCalibrated =
            search.calibrates && StackSettings.Driver(rawValue: Self.calibrationDriver) != nil
        let last = isCalibrated ? settings.overheadSeconds + search.trial.seconds : 0
        settings.budgetSeconds = max(search.budget.seconds / 2, search.budget.seconds - last)
        self.settings = settings
        let values: [SearchedValue?] = search.sweep?.values.map { Optional($0) } ?? [nil]
        cells = (1...max(1, search.repeats)).flatMap { repetition in
            values.map { Cell(value: $0, repetition: repetition) }
        }
    }

    package var startLoad: Int { settings.startLoad }

    /// Whether any search is of this driver.
    package func sweepsDriver(_ name: String) -> Bool {
        let swept = search.sweep?.vary == "stack.driver" ? search.sweep?.values ?? [] : []
        return scenario.stack.driver.rawValue == name || swept.contains(.text(name))
    }

    /// A load as the scenario has it.
    package func words(_ load: Int) -> String { search.from.with(load: load).words }

    /// The scenario of one trial.
    ///
    /// - Throws: `InputFault` or `ScenarioErrors` if the load is not possible.
    func trial(load: Int, seconds: Double, cell: Int) throws -> TrialScenario {
        try tree.trial(
            of: search, load: search.from.with(load: load), swept: cells[cell].value,
            duration: .nanoseconds(Int64(clampingNanoseconds: seconds * 1e9)),
            thresholds: scenario.searchThresholds)
    }

    /// The scenario of the generators without the server under test.
    func calibration(load: Int, cell: Int) -> Result<TrialScenario, InputFault> {
        let driver = Self.calibrationDriver
        guard StackSettings.Driver(rawValue: driver) != nil else {
            return .failure(
                InputFault(
                    message: "not calibrated: this version has no driver '\(driver)', which takes "
                        + "the place of the server under test"))
        }
        guard scenario.relay == nil else {
            return .failure(
                InputFault(
                    message: "not calibrated: the driver '\(driver)' pushes no stream to targets"))
        }
        do {
            return .success(
                try tree.trial(
                    of: search, load: search.from.with(load: load), swept: cells[cell].value,
                    duration: search.trial, thresholds: scenario.searchThresholds,
                    driver: driver))
        } catch {
            let words =
                (error as? ScenarioErrors)?.diagnostics.first?.message ?? "\(error)"
            return .failure(
                InputFault(
                    message: "not calibrated: the scenario does not fit the driver '\(driver)' "
                        + "(\(words))"))
        }
    }

    /// The verdicts of a trial on the goals. A goal holds if all its thresholds do.
    func judge(_ seen: SearchObservation) -> [SearchSummary.Verdict] {
        goals.map { goal in
            let results = goal.thresholds.map { threshold in
                seen.thresholds.first {
                    $0.metric == threshold.selector && $0.expression == threshold.expression
                }
            }
            let isGood = seen.failure == nil && results.allSatisfy { $0?.passed ?? false }
            var telling: ThresholdResult?
            if let failing = results.first(where: { !($0?.passed ?? false) }) {
                telling = failing
            } else if let first = results.first {
                telling = first
            }
            return SearchSummary.Verdict(good: isGood, observed: telling?.observed)
        }
    }

    // MARK: Summaries

    func emptySummary(runID: String, argv: [String], notes: [String]) -> SearchSummary {
        var summary = SearchSummary(
            scenario: scenario.name, scenarioSHA256: identity, runID: runID)
        summary.folder = folder
        summary.argv = argv
        summary.vary = search.vary
        summary.variesBitrate = search.from.isBitrate
        summary.lowest = settings.lowestLoad
        summary.highest = settings.highestLoad
        summary.goals = goals.map { goal in
            .init(
                name: goal.name,
                thresholds: goal.thresholds.map { "\($0.selector) \($0.expression)" },
                exceedRatio: goal.exceedRatio)
        }
        var method = SearchSummary.Method()
        method.initialS = search.trial.seconds
        method.finalS = search.finalTrial.seconds
        method.sumS = search.sum.seconds
        method.width = search.width
        method.warmupS = scenario.warmup.seconds
        method.drainS = scenario.drain.seconds
        summary.method = method
        summary.sweptKey = search.sweep?.vary ?? ""
        summary.driver = scenario.stack.driver.rawValue
        summary.budgetS = search.budget.seconds
        summary.searches = cells.map {
            .init(value: $0.value?.words ?? "", repetition: $0.repetition)
        }
        summary.notes = notes
        return summary
    }

    /// The facts about the program and the machine that a search begins, or goes on, with.
    func manifest(runID: String, argv: [String]) -> Manifest {
        var manifest = Manifest()
        manifest.millraceVersion = MillraceVersion.current
        manifest.gitCommit = MillraceVersion.commit
        manifest.runID = runID
        manifest.scenario = scenario.name
        manifest.scenarioSHA256 = identity
        manifest.seed = scenario.seed
        manifest.argv = argv
        manifest.host = .current()
        manifest.stack = scenario.stack.driver.rawValue
        manifest.congestionControl = scenario.congestionControl.rawValue
        return manifest
    }

    /// Digest of the scenario without the budget, which may be another when a search goes on.
    private var identity: String {
        var budget = SearchOptions()
        budget.budget = "1s"
        var tree = tree
        guard (try? tree.apply(budget)) != nil, let same = try? tree.scenario() else {
            return scenario.sha256
        }
        return same.sha256
    }

    /// Checks that a summary is one of this plan.
    ///
    /// - Throws: `ResultsError` that says how to mend it.
    func check(_ summary: SearchSummary, path: String) throws(ResultsError) {
        guard summary.scenarioSHA256 == identity else {
            throw ResultsError(
                path: path,
                message: "is of another scenario than the one given; give the scenario and the "
                    + "options that the search began with, or begin a new search without --resume")
        }
        guard summary.goals.count == goals.count, summary.searches.count == cells.count else {
            throw ResultsError(
                path: path,
                message: "does not have the goals and the searches of its scenario; begin a new "
                    + "search")
        }
    }

    /// Whether a calibration is the same for every value of the sweep, because the swept key is one
    /// of the stack whose place the calibration's stack takes.
    private var calibratesOnce: Bool {
        guard let key = search.sweep?.vary else { return true }
        return key.hasPrefix("stack.") && key != "stack.out_chunk_size"
    }

    /// The calibrations at a load for the value of the sweep that a search has.
    func calibrations(
        _ summary: SearchSummary, cell: Int, load: Int
    ) -> [SearchSummary.Calibration] {
        summary.calibrations.filter { calibration in
            calibration.load == load && cells.indices.contains(calibration.search)
                && (calibratesOnce || cells[calibration.search].value == cells[cell].value)
        }
    }

    /// Whether the generators cannot offer the start load even without the server under test.
    func cannotOfferStart(_ summary: SearchSummary, cell: Int) -> Bool {
        let known = calibrations(summary, cell: cell, load: startLoad)
        return known.count >= CapacitySearch.voidLimit
            && known.allSatisfy { $0.voidReason != nil }
    }

    /// Records the trials of a summary again.
    ///
    /// - Throws: `ResultsError` if a trial is not one of its search.
    func replay(
        _ summary: SearchSummary, into searches: inout [CapacitySearch], path: String
    ) throws(ResultsError) {
        for index in cells.indices {
            for calibration in summary.calibrations where calibration.search == index {
                searches[index].spend(seconds: calibration.wallS)
            }
            if cannotOfferStart(summary, cell: index) {
                searches[index].limitGenerators(to: startLoad)
            }
            for trial in summary.trials where trial.search == index {
                do throws(CapacitySearch.Fault) {
                    try searches[index].record(.init(trial))
                } catch {
                    throw ResultsError(
                        path: path,
                        message: "trial \(trial.number) does not belong to this search "
                            + "(\(error)); begin a new search")
                }
            }
        }
    }
}

extension CapacitySearch.Trial {
    /// The trial of a summary.
    init(_ trial: SearchSummary.Trial) {
        self.init(
            load: trial.load, durationSeconds: trial.durationS,
            good: trial.verdicts.map(\.good), forwardingRate: trial.deliveredMbps,
            isVoid: trial.voidReason != nil, wallSeconds: trial.wallS)
    }
}

extension SearchSummary.Bound {
    /// The bounds that a search found for a goal.
    init(_ result: CapacitySearch.GoalResult) {
        self.init(goal: result.goal)
        lowerBound = result.lowerBound
        upperBound = result.upperBound
        confirmed = result.isConfirmed
        conditionalThroughputMbps = result.conditionalThroughput
        irregular = result.isIrregular
        noUpperBound = result.hasNoUpperBound
        belowLowest = result.isBelowLowest
        generatorLimited = result.isGeneratorLimited
    }
}
