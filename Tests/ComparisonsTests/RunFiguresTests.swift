import Foundation
import Gate
import Results
import Scenario
import Testing

@testable import Comparisons

@Suite struct RunFiguresTests {
    @Test func namesAreThoseOfTheGate() {
        #expect(
            GateMetric.standard.map(\.name) == [
                RunFigures.Name.delay, RunFigures.Name.serverCPU, RunFigures.Name.viewerCPU,
                RunFigures.Name.capacity, RunFigures.Name.stalls,
            ])
    }

    @Test func figuresOfADirectory() throws {
        let folder = SmallResults.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = try SmallResults.write(delay: 4, to: folder)
        let run = try RunFigures(directory: path)
        // Nobody measured stalls, and the publishers are no viewers.
        #expect(
            run.figures == [
                "delay_p99_ms": 4, "server_cpu_s_per_gigabit": 2, "viewer_cpu_s_per_gigabit": 0.5,
            ])
        #expect(run.voidReason == nil)
        let void = try RunFigures(
            directory: SmallResults.write(delay: 4, void: "steal of 20 %", to: folder))
        #expect(void.voidReason == "steal of 20 %")
        #expect(throws: ResultsError.self) { try RunFigures(directory: folder) }
    }

    @Test func figuresThatAreNoNumbersAreMissing() {
        var results = SmallResults.results(delay: .nan)
        results.summary.efficiency?.cpuSecondsPerGigabit = .infinity
        results.summary.efficiency?.deliveredGigabitsPerSecond = 0
        var stalled = ViewerRow()
        stalled.stallRatio = 0.5
        var odd = ViewerRow()
        odd.stallRatio = .nan
        results.viewers = [stalled, odd, ViewerRow()]
        #expect(RunFigures(results).figures == ["stall_ratio": 0.5])
    }

    @Test func aRunThatEndedEarlyIsVoid() {
        var results = SmallResults.results(delay: 4)
        results.summary.outcome = .failed
        #expect(RunFigures(results).voidReason == nil)
        results.summary.earlyEnd = "the server was killed by signal 11"
        #expect(RunFigures(results).voidReason == "the server was killed by signal 11")
    }

    @Test func capacityComesFromASearchForViewers() {
        var search = SearchSummary(scenario: "s", scenarioSHA256: "", runID: "r")
        search.outcome = "complete"
        search.vary = "viewers.count"
        search.searches = [100, 200].map { bound in
            var one = SearchSummary.Search(value: "", repetition: 1)
            one.bounds = [SearchSummary.Bound(goal: "g")]
            one.bounds[0].lowerBound = bound
            return one
        }
        #expect(RunFigures(search).figures == ["capacity_viewers": 150])
        search.vary = "streams.count"
        #expect(RunFigures(search).figures.isEmpty)
        search.outcome = "interrupted"
        #expect(RunFigures(search).voidReason != nil)
    }

    @Test func metricsWithoutFiguresAreLeftOut() throws {
        let block = GateBlock(
            block: 1, order: nil, base: ["delay_p99_ms": 1], head: ["stall_ratio": 0])
        let (metrics, notes) = GateMetric.measured(GateMetric.standard, in: [block])
        #expect(metrics.map(\.name) == ["delay_p99_ms", "stall_ratio"])
        #expect(notes.count == 1 && notes[0].contains("capacity"))
        #expect(GateMetric.measured(GateMetric.standard, in: []).metrics.count == 5)
        let settings = GateSettings(blocks: 8, seed: 1)
        let empty = GateBlock(block: 1, order: nil, base: [:], head: [:])
        #expect(throws: ComparisonFault.self) {
            try GateVerdict(comparing: settings, blocks: [empty], voidTrials: 0)
        }
    }
}

@Suite struct ResultPairsTests {
    @Test func resultsMustPair() {
        #expect(throws: ComparisonFault.self) { try ResultPairs(base: ["a", "b"], head: ["c"]) }
        #expect(throws: ComparisonFault.self) { try ResultPairs(base: ["a"], head: ["b"]) }
        let many = [String](repeating: "a", count: 65)
        #expect(throws: ComparisonFault.self) { try ResultPairs(base: many, head: many) }
        let missing = [String](repeating: "/nowhere", count: 8)
        #expect(throws: ResultsError.self) { try ResultPairs(base: missing, head: missing) }
    }

    @Test func pairsWithAVoidRunAreLeftOut() throws {
        let folder = SmallResults.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var base = try (0..<9).map { try SmallResults.write(delay: 4 + Double($0), to: folder) }
        let head = base
        base[2] = try SmallResults.write(delay: 1, void: "steal", to: folder)
        let pairs = try ResultPairs(base: base, head: head)
        #expect(pairs.blocks.map(\.block) == Array(1...8))
        #expect(pairs.blocks.allSatisfy { $0.order == nil && $0.base == $0.head })
        #expect(pairs.fixedBlocks == 8 && pairs.voidTrials == 1 && pairs.trials.count == 18)
        #expect(pairs.notes == ["Pairs with a void run are left out: 3 (steal)."])
        let settings = GateSettings(blocks: pairs.fixedBlocks, seed: 1)
        let verdict = try GateVerdict(
            comparing: settings, blocks: pairs.blocks, voidTrials: pairs.voidTrials,
            notes: pairs.notes)
        #expect(verdict.outcome == .pass)
        #expect(verdict.notes.contains { $0.contains("order of the runs is not known") })
        let fewer = try ResultPairs(base: Array(base[..<8]), head: Array(head[..<8]))
        #expect(fewer.blocks.count == 7 && fewer.fixedBlocks == 8)
    }
}

@Suite struct ComparisonScenarioTests {
    private static let text = """
        version: 1
        name: small
        streams: [{name: live}]
        viewers: [{count: 4}]
        warmup: 1s
        duration: 2s
        drain: 1s
        thresholds: {delay_ms: ["p(99)<50"]}
        search: {vary: viewers.count, from: 1, to: 8}

        """

    private static func side(_ overrides: [String]) throws -> ComparisonScenario {
        try ComparisonScenario(
            TrialScenario.parse(text), path: "small.yml", folder: ".", overrides: overrides,
            place: "/nowhere")
    }

    @Test func withoutOverridesTheFileStays() throws {
        let side = try Self.side([])
        #expect(side.text == nil && side.path == "small.yml" && side.limit == .seconds(128))
    }

    @Test func overridesChangeKeys() throws {
        let side = try Self.side([
            "viewers.count=6", "duration=5s", "stack.threads=2", "name=7", "capture.enabled=false",
        ])
        let changed = try TrialScenario.parse(try #require(side.text))
        #expect(changed.viewers[0].count == 6 && changed.duration == .seconds(5))
        #expect(changed.stack.threads == 2 && changed.search == nil && changed.name == "7")
        #expect(changed.capture.mode == .off)
        #expect(side.limit == .seconds(134))
    }

    @Test(arguments: [
        ("stack.thread=2", "stack.threads"), ("viewers.count=many", "whole number"),
        ("viewers.count", "KEY=VALUE"), ("=2", "KEY=VALUE"), ("viewers.count=", "KEY=VALUE"),
    ])
    func faultsSayWhatIsMeant(override: String, words: String) throws {
        let error = try #require(throws: InputFault.self) { try Self.side([override]) }
        #expect(error.description.contains(words), "\(error)")
    }

    @Test func theRulesOfTheLanguageHold() {
        #expect(throws: ScenarioErrors.self) { try Self.side(["stack.threads=100000"]) }
    }

    /// A search calls these trials bad, so they say something about the server.
    @Test func faultsOfTheServer() {
        var results = SmallResults.results(delay: 4)
        results.summary.outcome = .failed
        #expect(RunFigures(results).voidReason == nil && RunFigures(results).serverFault == nil)
        results.summary.earlyEnd = "the server ended"
        #expect(RunFigures(results).serverFault == "the server ended")
        #expect(RunFigures(results).voidReason == "the server ended")
        let held = SmallResults.results(
            delay: 4, void: "only 80 % \(Manifest.Validity.fewFramesSent)")
        #expect(RunFigures(held).serverFault != nil)
        let late = SmallResults.results(delay: 4, void: "the generators ran late")
        #expect(RunFigures(late).serverFault == nil && RunFigures(late).voidReason != nil)
    }
}
