import ABR
import ArgumentParser
import Foundation
import Report
import Results
import Scenario
import Simulations
import Synchronization

struct LadderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ladder",
        abstract: "Choose the renditions of an ABR ladder, and the player settings that suit it.",
        discussion: """
            millrace ladder scenarios/ladder.yml
            simulates a population of viewers on every set of candidate renditions (or, for many \
            candidates, on those that a local search visits) and names the set with the best QoE \
            within limits of CPU, egress and number of rungs, with the algorithm, buffer and device \
            caps that suit it; what each rung contributes; and how the edge paper's, Apple's and a \
            geometric ladder compare. combinations.csv has every combination and the Pareto front.
            Exit codes: 0 done, 104 bad file or no ladder within the limits, 105 interrupted.
            """)

    enum Method: String, CaseIterable, ExpressibleByArgument { case exact, heuristic }

    @Argument(help: "The ladder problem (kind: ladder).")
    var scenario: String
    @Option(name: .shortAndLong, help: "Where <run-id>/ is made.")
    var results = "results"
    @Option(help: "Ladders simulated at a time; 0 is one per core.")
    var threads = 0
    @Option(help: "Another seed than the file's.")
    var seed: Int?
    @Option(help: "exact or heuristic; exact where the problem is small unless given.")
    var method: Method?
    @Flag(help: "Print the summary as JSON.")
    var json = false
    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false

    func validate() throws {
        try check(threads, in: 0...256, "--threads")
        if let seed { try check(seed, in: 0...Int(Int32.max), "--seed") }
    }

    func run() async throws {
        try ScenarioArgument.check(self.scenario, is: .ladder)
        let scenario: LadderScenario
        do {
            scenario = try LadderScenario.load(path: self.scenario, seed: seed)
        } catch {
            say("\(error)")
            throw ExitCode(104)
        }
        var options = LadderJob.Options()
        options.resultsDirectory = results
        options.threads = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
        options.method = method.flatMap { LadderSearch.Method(rawValue: $0.rawValue) }
        options.argv = CommandLine.arguments
        let isCancelled = StopFlag()
        let watch = Task {
            if await Interruption.wait() { isCancelled.raise() }
        }
        let outcome: (path: String, summary: LadderSummary)?
        do {
            let job = try LadderJob(scenario, options: options)
            let progress = LadderProgress(job.chooser, quiet: quiet)
            outcome = try await job(
                isCancelled: { isCancelled.isRaised }, progress: { progress.show($0) })
        } catch let error as LadderChoiceError {
            fail("\(self.scenario): \(error)", code: 104)
        } catch {
            fail("\(error)")
        }
        watch.cancel()
        await watch.value
        guard let outcome else {
            say("interrupted: half a search has no answer, nothing was written")
            throw ExitCode(105)
        }
        print(
            json ? try ResultsJSON.text(outcome.summary) : LadderReport(outcome.summary).text,
            isJSON: json, terminator: "")
        if !quiet { say("results: \(outcome.path)") }
    }
}

/// Prints a line every few seconds while ladders are simulated.
final class LadderProgress: Sendable {
    private let total: Int?
    private let quiet: Bool
    private let shown = Mutex(ContinuousClock.now)

    init(_ chooser: LadderChooser, quiet: Bool) {
        total = chooser.method == .exact ? chooser.search.setCount : nil
        self.quiet = quiet
        if !quiet, chooser.method == .heuristic {
            say(
                "\(chooser.search.setCount) ladders are too many to simulate all: local search "
                    + "('--method exact' insists)")
        }
    }

    func show(_ done: Int) {
        guard !quiet else { return }
        let isDue = shown.withLock { shown in
            let now = ContinuousClock.now
            guard now - shown > .seconds(2) else { return false }
            shown = now
            return true
        }
        if isDue { say("\(done)\(total.map { " of \($0)" } ?? "") ladders simulated") }
    }
}
