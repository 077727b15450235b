import Foundation
import Report
import Results
import Scenario
import Testing

@testable import Searches

@Suite struct SearchRunnerTests {
    /// Viewers up to a planted limit are carried with a delay of 10 ms.
    private static func limited(to limit: Int, trials: Int = .max) -> FakeTrials {
        FakeTrials(limit: trials) { viewers, _ in viewers <= limit ? 10 : 90 }
    }

    @Test func findsThePlantedLimit() async throws {
        let search = try FakeSearch()
        defer { search.remove() }
        let directory = try search.directory()
        let trials = Self.limited(to: 137)
        let summary = try await search.run(trials, in: directory)
        #expect(summary.outcome == "complete")
        let bound = try #require(summary.searches.first?.bounds.first)
        #expect(bound.lowerBound == 135 && bound.upperBound == 141 && bound.confirmed)
        #expect(bound.conditionalThroughputMbps == 270 && !bound.irregular)
        #expect(
            trials.calls.map(\.viewers) == [50, 100, 200, 141, 120, 130, 135, 135, 141])
        #expect(trials.calls.map(\.seconds) == [3, 3, 3, 3, 3, 3, 3, 8, 8])
        #expect(trials.calls.first?.name == "0001-load-50")
        // The directory says the same.
        #expect(try SearchSummary.load(directory: directory.path) == summary)
        let csv = try String(contentsOfFile: "\(directory.path)/search.csv", encoding: .utf8)
        let rows = SearchRow.read(csv: csv)
        #expect(rows.count == 9 && rows.map(\.good) == [1, 1, 0, 0, 1, 1, 1, 1, 0])
        #expect(rows[2].observed == 90 && rows[2].load == 200 && rows[2].goal == "thresholds")
        let text = SearchReport(summary).text
        #expect(text.contains("capacity 135 viewers (lower bound 135, upper bound 141"))
        #expect(text.contains("irregular: no"))
        #expect(text.contains("window 3.0 s first and 8.0 s to confirm"))
        #expect(text.hasSuffix("FOUND  135 viewers at p99 < 50 ms (interval 135 to 141)\n"))
        #expect(CapacityPlot(summary).svg.contains("<polyline"))
    }

    @Test func goalsAreJudgedByTheirOwnThresholds() async throws {
        let search = try FakeSearch(
            FakeSearch.text.replacing(
                "calibrate: false",
                with: "calibrate: false, goals: [{name: strict, thresholds: {delay_ms: "
                    + "[\"p(99)<50\"]}}, {name: loose, thresholds: {delay_ms: [\"p(99)<80\"]}}]"))
        defer { search.remove() }
        let summary = try await search.run(
            FakeTrials { viewers, _ in Double(viewers) / 2 }, in: try search.directory())
        let bounds = try #require(summary.searches.first?.bounds)
        #expect(bounds.map(\.goal) == ["strict", "loose"])
        let capacities = bounds.compactMap(\.lowerBound)
        #expect(capacities.count == 2 && (94...99).contains(capacities[0]))
        #expect((151...159).contains(capacities[1]))
        #expect(summary.searches[0].capacity == capacities[0])
        #expect(summary.trials[0].verdicts.count == 2)
    }

    /// Whatever the trial after which the search was killed, it takes the steps that it would have
    /// taken.
    @Test func resumesAfterAnyTrial() async throws {
        let search = try FakeSearch()
        defer { search.remove() }
        let whole = Self.limited(to: 137)
        _ = try await search.run(whole, in: try search.directory())
        for cut in 0..<whole.calls.count {
            let directory = try search.directory()
            let first = Self.limited(to: 137, trials: cut)
            let partial = try await search.run(first, in: directory)
            #expect(partial.outcome == "interrupted" && partial.trials.count == cut)
            let rest = Self.limited(to: 137)
            let state = try SearchSummary.load(directory: directory.path)
            let summary = try await search.run(rest, in: directory, resuming: state)
            #expect(first.calls.map(\.name) + rest.calls.map(\.name) == whole.calls.map(\.name))
            #expect(summary.outcome == "complete" && summary.trials.count == whole.calls.count)
        }
    }

    /// A search goes on with another budget, but not with another scenario.
    @Test func refusesForeignDirectories() async throws {
        let search = try FakeSearch()
        defer { search.remove() }
        let directory = try search.directory()
        let partial = try await search.run(Self.limited(to: 137, trials: 2), in: directory)
        var options = SearchRunner.Options()
        options.isQuiet = true
        func resume(_ change: (String, String), _ summary: SearchSummary) throws {
            let plan = try FakeSearch.plan(FakeSearch.text.replacing(change.0, with: change.1))
            _ = try SearchRunner(
                plan, trials: Self.limited(to: 137), directory: directory, resuming: summary,
                options: options)
        }
        try resume(("start: 50", "start: 50, budget: 20min"), partial)
        #expect(throws: ResultsError.self) { try resume(("to: 1000", "to: 900"), partial) }
        var damaged = partial
        damaged.trials[0].load = 5
        #expect(throws: ResultsError.self) { try resume(("x", "x"), damaged) }
        damaged = partial
        damaged.trials[1].search = 3
        try directory.write(damaged)
        #expect(throws: ResultsError.self) { try SearchSummary.load(directory: directory.path) }
        for text in ["", "{", "{\"kind\": \"ladder\"}", "{\"kind\": \"search\"}", "[]"] {
            try directory.write(text, to: "summary.json")
            #expect(throws: ResultsError.self) {
                try SearchSummary.load(directory: directory.path)
            }
            // A damaged summary is told as such, and that of another kind is none.
            if text.contains("ladder") {
                let other = try SearchSummary.read(directory: directory.path)
                #expect(other == nil)
            } else {
                #expect(throws: ResultsError.self) {
                    try SearchSummary.read(directory: directory.path)
                }
            }
        }
        let none = try SearchSummary.read(directory: search.parent)
        #expect(none == nil)
        #expect(throws: ResultsError.self) { try SearchSummary.load(directory: search.parent) }
    }

    @Test func voidTrialsAreNoVerdict() async throws {
        let search = try FakeSearch()
        defer { search.remove() }
        let void = try await search.run(FakeTrials { _, _ in nil }, in: try search.directory())
        #expect(void.outcome == "void" && void.trials.allSatisfy { $0.verdicts.isEmpty })
        #expect(SearchReport(void).text.contains("void trials: generator lag"))
        #expect(SearchReport(void).text.hasSuffix("VOID  every trial was void: generator lag\n"))
        let bad = try await search.run(FakeTrials { _, _ in 99 }, in: try search.directory())
        #expect(bad.outcome == "inconclusive")
        #expect(SearchReport(bad).text.contains("even the lowest load, 10 viewers, is bad"))
        let some = try await search.run(
            FakeTrials { viewers, _ in viewers > 100 ? nil : 1 }, in: try search.directory())
        #expect(some.outcome == "complete")
        #expect(some.searches[0].bounds[0].generatorLimited)
        #expect(SearchReport(some).text.contains("which is the generators' limit"))
    }

    /// A full disk in the middle ends the search, but what is known is reported, and once there is
    /// room, the search goes on.
    @Test func keepsWhatIsKnownAfterAFault() async throws {
        let search = try FakeSearch()
        defer { search.remove() }
        let directory = try search.directory()
        let full = FakeTrials(room: 4) { viewers, _ in viewers <= 137 ? 10 : 90 }
        let partial = try await search.run(full, in: directory)
        #expect(partial.outcome == "interrupted" && partial.trials.count == 4)
        #expect(partial.searches[0].bounds.first?.lowerBound == 100)
        #expect(partial.notes.contains { $0.contains("the disk is full") })
        #expect(SearchReport(partial).text.contains("capacity 100 viewers"))
        let state = try SearchSummary.load(directory: directory.path)
        #expect(state == partial)
        let summary = try await search.run(
            Self.limited(to: 137), in: directory, resuming: state)
        #expect(summary.outcome == "complete" && summary.searches[0].capacity == 135)
        #expect(!summary.notes.contains { $0.contains("the disk is full") })
    }

    /// One void calibration is repeated; three of them bound the search.
    @Test func voidCalibrationsAreRepeated() async throws {
        let search = try FakeSearch(
            FakeSearch.text.replacing("calibrate: false", with: "calibrate: true"))
        defer { search.remove() }
        for (count, isLimited) in [(1, false), (2, false), (3, true)] {
            let directory = try search.directory()
            let trials = FakeTrials(voidCalibrations: count) { viewers, _ in
                viewers <= 137 ? 10 : 90
            }
            let summary = try await search.run(trials, in: directory)
            try #require(!summary.calibrations.isEmpty, "\(summary.notes)")
            let first = summary.calibrations.prefix { $0.load == 50 && $0.voidReason != nil }
            #expect(first.count == count)
            let bound = try #require(summary.searches[0].bounds.first)
            #expect(bound.generatorLimited == isLimited)
            #expect(isLimited ? bound.upperBound == 50 : bound.lowerBound == 135)
            // A search that goes on knows the same.
            let again = try await search.run(
                Self.limited(to: 137, trials: 0), in: directory, resuming: summary)
            #expect(again.searches[0].bounds == summary.searches[0].bounds)
        }
    }

    /// Only the trials at the bounds keep their longest files.
    @Test func thinsTrials() async throws {
        let search = try FakeSearch()
        defer { search.remove() }
        let directory = try search.directory()
        let files = FileManager.default
        let first = try await search.run(Self.limited(to: 137, trials: 9), in: directory)
        #expect(first.outcome == "complete")
        for trial in first.trials {
            for name in ["record.json", "summary.json"] {
                try directory.write("{}", to: "\(trial.directory)/\(name)")
            }
        }
        _ = try await search.run(Self.limited(to: 137), in: directory, resuming: first)
        for trial in first.trials {
            let place = "\(directory.path)/\(trial.directory)"
            let isBound = [135, 141].contains(trial.load)
            let hasRecord = files.fileExists(atPath: "\(place)/record.json")
            let hasSummary = files.fileExists(atPath: "\(place)/summary.json")
            #expect(hasRecord == isBound, "\(place)")
            #expect(hasSummary, "\(place)")
        }
    }

    /// Publishers that are held by the server make the load a bad one. Publishers that are late
    /// themselves make the trial void.
    @Test func heldPublishersAreLoss() throws {
        var manifest = Manifest()
        manifest.validity.valid = false
        manifest.validity.reasons = ["only 80% \(Manifest.Validity.fewFramesSent), least 99%"]
        var summary = Summary()
        summary.outcome = .void
        var held = SearchObservation(RunResults(manifest: manifest, summary: summary))
        #expect(held.hasHeldPublishers && held.voidReason == nil)
        let plan = try FakeSearch.plan(FakeSearch.text)
        held.thresholds = plan.goals[0].thresholds.map { threshold in
            ThresholdResult(
                metric: threshold.selector, expression: threshold.expression, observed: 1,
                limit: threshold.limit, passed: true)
        }
        #expect(plan.judge(held).map(\.good) == [false])
        held.hasHeldPublishers = false
        #expect(plan.judge(held).map(\.good) == [true])
        manifest.validity.reasons.append("the generators ran late")
        let late = SearchObservation(RunResults(manifest: manifest, summary: summary))
        #expect(!late.hasHeldPublishers && late.voidReason?.contains("ran late") == true)
    }

    /// A capacity is known no better than the bounds of its searches, however alike the searches
    /// are.
    @Test func intervalsCoverTheBounds() async throws {
        let search = try FakeSearch(
            FakeSearch.text.replacing(
                "calibrate: false",
                with: "calibrate: false, repeats: 3, sweep: {vary: stack.threads, values: [1, 2]}"))
        defer { search.remove() }
        let summary = try await search.run(
            Self.limited(to: 137), in: try search.directory())
        #expect(summary.points.map(\.capacity) == [135, 135])
        #expect(summary.points.map(\.low) == [135, 135])
        #expect(summary.points.map(\.high) == [141, 141])
        // Where no load is bad, nothing is said about more threads.
        let open = try await search.run(
            Self.limited(to: 5000), in: try search.directory())
        #expect(open.notes.contains { $0.contains("at least the one given for 1, 2") })
        let text = SearchReport(open).text
        #expect(text.contains("With 1 thread this machine carries at least 1000 viewers"))
        #expect(text.contains("Whether more threads pay is not known"))
        #expect(text.contains("irregular: yes, no load was bad"))
    }

    /// Six pools whose capacity has a planted peak.
    @Test func sweepFindsThePool() async throws {
        let search = try FakeSearch(
            FakeSearch.text.replacing(
                "calibrate: false",
                with: "calibrate: false, width: 1%, repeats: 2, sweep: {vary: stack.threads, "
                    + "values: [1, 2, 3, 4, 6, 8]}"))
        defer { search.remove() }
        let trials = FakeTrials { viewers, threads in
            let n = Double(threads)
            let limit = 100 * n / (1 + 0.1 * (n - 1) + 0.06 * n * (n - 1))
            return Double(viewers) <= limit ? 10 : 90
        }
        let summary = try await search.run(trials, in: try search.directory())
        #expect(summary.outcome == "complete" && summary.searches.count == 12)
        // Repeats go round the values.
        #expect(summary.searches.prefix(7).map(\.value) == ["1", "2", "3", "4", "6", "8", "1"])
        #expect(summary.points.map(\.value) == ["1", "2", "3", "4", "6", "8"])
        #expect(summary.points.allSatisfy { $0.searches == 2 })
        let scaling = try #require(summary.scaling)
        #expect(abs(scaling.contention.value - 0.1) < 0.05)
        #expect(abs(scaling.coherency.value - 0.06) < 0.02)
        let peak = try #require(scaling.peak)
        #expect(abs(peak.value - (0.9 / 0.06).squareRoot()) < 0.5)
        // 100, 161, 192, 198 (four), 182, 159: four threads carry most.
        #expect(summary.recommended == "4")
        let text = SearchReport(summary).text
        #expect(text.contains("With 4 threads this machine carries"))
        #expect(text.contains("Beyond 4, more threads stop paying"))
        #expect(CapacityPlot(summary).svg.hasPrefix("<svg xmlns="))
    }

    @Test func fewSizesHaveNoFit() async throws {
        let search = try FakeSearch(
            FakeSearch.text.replacing(
                "calibrate: false",
                with: "calibrate: true, sweep: {vary: stack.threads, values: [1, 2]}"))
        defer { search.remove() }
        let summary = try await search.run(Self.limited(to: 60), in: try search.directory())
        #expect(summary.scaling == nil)
        #expect(summary.notes.contains { $0.contains("at least 6 sizes") })
        #expect(summary.recommended == "1")
        // Without the driver that takes the server's place, the search says so; with it, there are
        // calibrations.
        let isCalibrated = !summary.calibrations.isEmpty
        #expect(isCalibrated != summary.notes.contains { $0.contains("not calibrated") })
        // The swept threads are not those of the calibration, so the start load has one.
        let starts = summary.calibrations.count { $0.load == 50 }
        #expect(starts == (isCalibrated ? 1 : 0))
    }

    /// A sweep over names has a sentence for each of them, and names those without a capacity.
    @Test func sweepOverNamesHasSentences() async throws {
        let search = try FakeSearch(
            FakeSearch.text.replacing(
                "calibrate: false",
                with: "calibrate: false, sweep: {vary: stack.driver, values: [embedded, "
                    + "nginx-rtmp]}"))
        defer { search.remove() }
        let directory = try search.directory()
        let summary = try await search.run(Self.limited(to: 137), in: directory)
        let text = SearchReport(summary).text
        let sentence = "this machine carries 135 viewers at p99 < 50 ms (interval 135 to 141)"
        #expect(text.contains("With embedded \(sentence)"))
        #expect(text.contains("With nginx-rtmp \(sentence)"))
        #expect(CapacityPlot(summary).svg.contains("nginx-rtmp"))
        let cut = try await search.run(
            Self.limited(to: 137, trials: 9), in: try search.directory())
        #expect(SearchReport(cut).text.contains("INTERRUPTED"))
        #expect(cut.points.map(\.value) == ["embedded"])
        #expect(SearchReport(cut).text.contains("none"))
    }

    @Test func needsASearch() throws {
        let text = FakeSearch.text.split(separator: "\n").dropLast().joined(separator: "\n")
        #expect(throws: InputFault.self) { try FakeSearch.plan(text) }
    }

    @Test func progressShowsTheBracket() async throws {
        let search = try FakeSearch()
        defer { search.remove() }
        var summary = try await search.run(
            Self.limited(to: 137), in: try search.directory())
        summary.budgetS = 600
        let line = SearchProgress.line(summary, search: 0, running: "140", spentSeconds: 190)
        #expect(line == "[135 ok … 141 bad] 9 trials, 3 m 10 s of 10 m, now 140")
    }
}
