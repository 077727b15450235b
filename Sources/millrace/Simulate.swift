import ABR
import ArgumentParser
import Foundation
import Glibc
import Netem
import Report
import Results
import Scenario
import Simulations
import Synchronization

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Simulate adaptive players in virtual time, or reproduce Sabre and Pensieve.",
        discussion: """
            millrace simulate scenarios/simulate-algorithms.yml
            runs every cell of the scenario's matrix (traces, algorithms, buffers, ladders) and \
            writes viewers.csv, segments.csv (with segments: true), summary.json and manifest.json. \
            The same inputs give the same CSV, byte for byte, whatever the number of threads.
            millrace simulate --compat sabre --traces DIR --titles DIR --buffers 25,12 --csv FILE
            millrace simulate --compat pensieve --traces DIR --titles DIR --csv FILE
            reproduce the figures of those simulators, their defects included.
            millrace simulate --list names algorithms, link profiles and ladders.
            Exit codes: 0 done, 104 bad scenario, trace or title, 105 interrupted.
            """)

    enum Compatibility: String, CaseIterable, ExpressibleByArgument {
        case sabre, pensieve
    }

    @Argument(help: "The simulation scenario; its file names are relative to its folder.")
    var scenario: String?
    @Option(name: .shortAndLong, help: "Where <run-id>/ is made.")
    var results = "results"
    @Option(help: "Cells simulated at a time; 0 is one per core.")
    var threads = 0
    @Option(help: "Another seed than the scenario's.")
    var seed: Int?
    @Flag(help: "Print the summary as JSON.")
    var json = false
    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false
    @Flag(help: "Name what a scenario can hold.")
    var list = false
    @Option(help: "Reproduce sabre or pensieve.")
    var compat: Compatibility?
    @Option(help: "With --compat: folder of the traces.")
    var traces: String?
    @Option(help: "With --compat: folder of the titles (pensieve: of video_size_0 … 5).")
    var titles: String?
    @Option(help: "With --compat sabre: maximum buffers in seconds.")
    var buffers = "25"
    @Option(help: "With --compat: the file to write.")
    var csv: String?

    func validate() throws {
        try check(threads, in: 0...256, "--threads")
        if let seed { try check(seed, in: 0...Int(Int32.max), "--seed") }
        if list { return }
        if compat != nil {
            guard scenario == nil, traces != nil, titles != nil, csv != nil else {
                throw ValidationError(
                    "--compat takes --traces DIR, --titles DIR and --csv FILE, and no scenario")
            }
            _ = try bufferSeconds()
        } else {
            guard scenario != nil else {
                throw ValidationError("give a simulation scenario, or --compat, or --list")
            }
            guard traces == nil, titles == nil, csv == nil else {
                throw ValidationError(
                    "--traces, --titles and --csv belong to --compat; a scenario names its own")
            }
        }
    }

    func run() async throws {
        if list { return printNames() }
        if let compat { return try reproduce(compat) }
        try await simulate()
    }

    // MARK: TrialScenario

    private func simulate() async throws {
        try ScenarioArgument.check(self.scenario ?? "", is: .simulation)
        let scenario: SimulationScenario
        do {
            scenario = try SimulationScenario.load(path: self.scenario ?? "", seed: seed)
        } catch {
            say("\(error)")
            throw ExitCode(104)
        }
        var options = SimulationJob.Options()
        options.resultsDirectory = results
        options.threads = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
        options.argv = CommandLine.arguments
        let job = SimulationJob(scenario, options: options)
        let isCancelled = StopFlag()
        let watch = Task {
            if await Interruption.wait() { isCancelled.raise() }
        }
        let outcome: (path: String, summary: SimulationSummary)
        do {
            var progress = SimulationProgress(total: job.run.cells.count, quiet: quiet)
            outcome = try await job(
                isCancelled: { isCancelled.isRaised }, progress: { progress.show($0) })
        } catch {
            fail("\(error)")
        }
        watch.cancel()
        await watch.value
        print(
            json
                ? try ResultsJSON.text(outcome.summary) : SimulationReport(outcome.summary).text,
            isJSON: json, terminator: "")
        if !quiet { say("results: \(outcome.path)") }
        fflush(nil)
        if isCancelled.isRaised { throw ExitCode(105) }
    }

    // MARK: Compatibility

    private func bufferSeconds() throws -> [Double] {
        try buffers.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let value = Double(text), value > 0, value <= 86_400 else {
                throw ValidationError(
                    "--buffers holds '\(text)'; it takes seconds, as in 25,12")
            }
            return value
        }
    }

    private func reproduce(_ compat: Compatibility) throws {
        let (traces, titles, file) = (traces ?? "", titles ?? "", csv ?? "")
        let text: String
        do {
            switch compat {
            case .sabre:
                text = SabreCompatibility.csv(
                    titles: try CompatibilityInputs.sabreTitles(folder: titles),
                    traces: try CompatibilityInputs.sabreTraces(folder: traces),
                    buffersSeconds: try bufferSeconds())
            case .pensieve:
                text = PensieveCompatibility.csv(
                    sizes: try CompatibilityInputs.pensieveSizes(folder: titles),
                    traces: try CompatibilityInputs.pensieveTraces(folder: traces))
            }
        } catch {
            fail("\(error)", code: 104)
        }
        guard !text.isEmpty else {
            fail(
                "no buffer of --buffers \(buffers) holds more than a segment of a title; "
                    + "give longer ones", code: 104)
        }
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        } catch {
            fail("\(file): cannot be written (\(error.localizedDescription))")
        }
        if !quiet { say("\(file): \(text.utf8.count { $0 == 0x0A } - 1) rows") }
    }

    private func printNames() {
        print("ALGORITHMS")
        for name in AlgorithmName.all { print("  \(name): \(name.summary)") }
        print("\nTRACES: files (Sabre JSON, Mahimahi, Pensieve, CSV), rates such as 3Mbps, or")
        for profile in LinkProfile.all { print("  \(profile.name): \(profile.summary)") }
        print("\nLADDERS: title files (JSON, CSV), or (kbit/s)")
        for ladder in Ladder.presets {
            let rates = ladder.renditions.map { String(Int($0.bitrate)) }.joined(separator: " ")
            print("  \(ladder.name): \(rates)")
        }
    }
}

/// A flag that any thread may raise.
final class StopFlag: Sendable {
    private let state = Atomic(false)

    var isRaised: Bool { state.load(ordering: .relaxed) }
    func raise() { state.store(true, ordering: .relaxed) }
}

/// Prints a line every few seconds while cells are simulated.
struct SimulationProgress {
    private let total: Int
    private let quiet: Bool
    private let start = ContinuousClock.now
    private var shown = ContinuousClock.now

    init(total: Int, quiet: Bool) {
        self.total = total
        self.quiet = quiet
    }

    mutating func show(_ done: Int) {
        let now = ContinuousClock.now
        guard !quiet, now - shown > .seconds(2) else { return }
        shown = now
        let left = (now - start) / Double(done) * Double(total - done)
        say("\(done)/\(total) cells, about \(left.components.seconds) s left")
    }
}
