import SimulationKernel

/// Checks of a scenario's search: its numbers, its goals, and the scenarios of its smallest and its
/// largest trial.
enum SearchRules {
    /// - Parameter root: The scenario's mapping with every default filled in.
    static func check(
        _ scenario: TrialScenario, _ root: ResolvedObject, reader: inout ScenarioReader
    ) {
        guard let search = scenario.search, reader.diagnostics.isEmpty else { return }
        checkLoads(search, reader: &reader)
        checkTimes(search, reader: &reader)
        checkGoals(scenario, search, reader: &reader)
        guard reader.diagnostics.isEmpty else { return }
        let tree = ScenarioTree(root: root, file: reader.file, folder: reader.folder)
        checkTrials(tree, scenario, search, reader: &reader)
    }

    private static func checkLoads(_ search: SearchSettings, reader: inout ScenarioReader) {
        guard let from = search.from.load, let to = search.to.load,
            let start = search.firstLoad.load
        else { return }
        if search.to.isBitrate != search.from.isBitrate {
            reader.report(
                at: "search.to", "search.to must be of the same kind as from, \(search.from.words)")
        } else if from > to {
            reader.report(
                at: "search.to",
                "search.to, \(search.to.words), is less than from, \(search.from.words); "
                    + "exchange them")
        } else if search.firstLoad.isBitrate != search.from.isBitrate
            || !(from...to).contains(start)
        {
            reader.report(
                at: "search.start",
                "search.start, \(search.firstLoad.words), is not between \(search.from.words) and "
                    + "\(search.to.words)")
        }
    }

    private static func checkTimes(_ search: SearchSettings, reader: inout ScenarioReader) {
        if search.finalTrial < search.trial {
            reader.report(
                at: "search.final", "search.final must be at least as long as search.trial")
        }
        if search.sum < search.finalTrial {
            reader.report(
                at: "search.sum", "search.sum must be at least as long as search.final")
        }
        let trials = search.sum.seconds / max(search.finalTrial.seconds, 1e-9)
        if trials > 100 {
            reader.report(
                at: "search.sum",
                "search.sum makes \(Int(min(trials, 1e9))) trials of search.final at a load; at "
                    + "most 100")
        }
    }

    private static func checkGoals(
        _ scenario: TrialScenario, _ search: SearchSettings, reader: inout ScenarioReader
    ) {
        if scenario.searchGoals.isEmpty {
            reader.report(
                at: "search",
                "search needs a goal: add thresholds to the scenario, or search.goals with "
                    + "thresholds of their own (--goal 'delay_ms=p(99)<50')")
        }
        if search.goals.count > 16 {
            reader.report(
                at: "search.goals", "\(search.goals.count) goals; a search takes at most 16")
        }
        var names: Set<String> = []
        for (index, goal) in search.goals.enumerated() {
            let place = "search.goals[\(index)]"
            if !names.insert(goal.name).inserted {
                reader.report(
                    at: place + ".name", "two goals are named '\(goal.name)'; rename one")
            }
            if goal.thresholds.isEmpty {
                reader.report(
                    at: place + ".thresholds",
                    "the goal '\(goal.name)' has no threshold, such as delay_ms: [\"p(99)<50\"]")
            }
            if goal.exceedRatio >= 1 {
                reader.report(
                    at: place + ".exceed",
                    "exceed must be less than 100%, or no load would ever be bad; RFC 9971 "
                        + "recommends 50%")
            }
        }
        if let sweep = search.sweep {
            if sweep.vary == search.vary {
                reader.report(
                    at: "search.sweep.vary",
                    "the sweep varies '\(sweep.vary)', which the search varies; name another key")
            }
            if sweep.values.count > 64 || Set(sweep.values).count < sweep.values.count {
                reader.report(
                    at: "search.sweep.values", "a sweep has at most 64 values, each once")
            }
        }
    }

    /// Reads the scenarios of the smallest and the largest trial, for each value of the sweep.
    private static func checkTrials(
        _ tree: ScenarioTree, _ scenario: TrialScenario, _ search: SearchSettings,
        reader: inout ScenarioReader
    ) {
        var plain = tree
        plain.removeSearch()
        plain.setThresholds(scenario.searchThresholds)
        do {
            _ = try plain.scenario()
        } catch {
            return reader.report(at: "search.goals", "search.goals: \(words(error))")
        }
        do throws(InputFault) {
            try plain.set(search.vary, to: search.from)
        } catch {
            return reader.report(at: "search.vary", "search.vary: \(error.message)")
        }
        let values: [SearchedValue?] = search.sweep?.values.map { Optional($0) } ?? [nil]
        for (index, swept) in values.enumerated() {
            if let sweep = search.sweep, let swept {
                do throws(InputFault) {
                    var other = plain
                    try other.set(sweep.vary, to: swept)
                } catch {
                    let place = index == 0 ? "vary" : "values[\(index)]"
                    return reader.report(
                        at: "search.sweep.\(place)", "search.sweep: \(error.message)")
                }
            }
            for (key, load) in [("from", search.from), ("to", search.to)] {
                do {
                    _ = try tree.trial(
                        of: search, load: load, swept: swept, duration: search.trial,
                        thresholds: scenario.searchThresholds)
                } catch {
                    let with = search.sweep.flatMap { sweep in
                        swept.map { " and \(sweep.vary) = \($0.words)" }
                    }
                    reader.report(
                        at: "search.\(key)",
                        "with \(search.vary) = \(load.words)\(with ?? "") the scenario is not "
                            + "valid: \(words(error))")
                    return
                }
            }
        }
    }

    /// The first faults of a scenario without their positions, which are those of another text.
    private static func words(_ error: any Error) -> String {
        guard let errors = error as? ScenarioErrors else { return "\(error)" }
        let first = errors.diagnostics.prefix(3).map(\.message)
        let more = errors.diagnostics.count - first.count
        return first.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
    }
}
