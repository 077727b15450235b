import ArgumentParser
import Comparisons
import Foundation
import Gate
import Glibc
import Processes
import Results
import Scenario

struct Compare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judge whether a build or a setting (head) is worse than another (base).",
        discussion: """
            millrace compare scenarios/smoke.yml --base /opt/millrace-1.0/bin/millrace
            millrace compare scenarios/fanout.yml --base-set stack.threads=1 \
            --head-set stack.threads=2
            millrace compare --base-results old/* --head-results new/*
            millrace compare scenarios/smoke.yml --plan
            runs base and head in turn, in random order, in blocks of one run each, after a warm-up \
            pair that does not count. A sign-flip test of the blocks, with Holm's correction over \
            the metrics, then gives PASS (every metric is shown to be within its limit), FAIL (a \
            metric is shown to be beyond it) or INCONCLUSIVE. The metrics are p99 delay, CPU of \
            server and viewers per gigabit, stall ratio and, of searches, the capacity. Void runs \
            are replaced. --plan says beforehand how many blocks are enough. DIR/<run-id>/ gets \
            comparison.json, junit.xml, summary.md (for $GITHUB_STEP_SUMMARY), benchmark.json and \
            the results of each run; Ctrl-C writes what is known.
            Exit codes: 0 PASS, 99 FAIL, 98 INCONCLUSIVE, 104 bad scenario, 105 interrupted.
            """)

    @Argument(help: "The scenario; not needed with --base-results.")
    var scenario: String?
    @Option(help: ArgumentHelp("Another millrace as the base.", valueName: "program"))
    var base: String?
    @Option(help: ArgumentHelp("Another millrace as the head.", valueName: "program"))
    var head: String?
    @Option(
        help: ArgumentHelp(
            "A key of the scenario and its value for the base; may be given several times.",
            valueName: "key=value"))
    var baseSet: [String] = []
    @Option(help: ArgumentHelp("The same for the head.", valueName: "key=value"))
    var headSet: [String] = []
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Results of the base that exist already, of runs or of searches.", valueName: "dir"))
    var baseResults: [String] = []
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("As many results of the head, in the same order.", valueName: "dir"))
    var headResults: [String] = []
    @Option(help: "Number of blocks, 8 to 64; it is fixed before the first run. (default: 10)")
    var blocks: Int?
    @Option(help: "Change for the worse that is allowed; stall ratios may grow by 0.005 at most.")
    var delta = AllowedChange(share: 0.05)
    @Option(help: "Seed of the order of the runs; without it, a random one, which is recorded.")
    var seed: Int?
    @Flag(help: "Run the base against itself, and print how many blocks are enough.")
    var plan = false
    @Option(
        name: [.customShort("r"), .customLong("results"), .customLong("out")],
        help: "Where <run-id>/ is made.")
    var results = "results"
    @Flag(help: "Print comparison.json instead of the table.")
    var json = false
    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false

    func validate() throws {
        if let blocks {
            try check(
                blocks, in: BlockSchedule.fewestBlocks...BlockSchedule.mostBlocks, "--blocks")
        }
        if let seed { try check(seed, in: 0...Int(Int32.max), "--seed") }
        let hasResults = !baseResults.isEmpty || !headResults.isEmpty
        if hasResults {
            let others = [scenario, base, head].compactMap { $0 } + baseSet + headSet
            guard others.isEmpty, !plan, blocks == nil else {
                throw ValidationError(
                    "--base-results and --head-results compare runs that exist already: leave "
                        + "out the scenario and the options of new runs")
            }
        } else if scenario == nil {
            throw ValidationError(
                "give a scenario, or results that exist with --base-results and --head-results")
        }
        if plan, head != nil || !headSet.isEmpty {
            throw ValidationError(
                "--plan runs the base against itself: leave out --head and --head-set")
        }
    }

    func run() async throws {
        let settings = GateSettings(
            metrics: GateMetric.declared(allowedChange: delta.share),
            blocks: blocks ?? GateSettings.standardBlocks,
            seed: UInt64(seed ?? Int.random(in: 0...Int(Int32.max))))
        if let fault = settings.fault { fail(fault, code: 2) }
        if let scenario {
            try await compare(scenario, settings)
        } else {
            try compareResults(settings)
        }
    }

    // MARK: New runs

    private func compare(_ path: String, _ settings: GateSettings) async throws {
        let loaded = try ScenarioArgument.load(path)
        let runID = newRunID()
        let sides = try makeSides(loaded, path: path, runID: runID)
        let begin = Date().timeIntervalSince1970
        let directory: ComparisonDirectory
        let course: Comparison.Course
        do {
            directory = try ComparisonDirectory(parent: results, runID: runID)
            if !quiet { say("compare: \(directory.path)") }
            let isQuiet = quiet
            let comparison = Comparison(
                base: sides.base, head: sides.head,
                schedule: try BlockSchedule(blocks: settings.blocks, seed: settings.seed),
                runner: ComparisonTrials(), directory: directory,
                tell: { if !isQuiet { say($0) } })
            let watch = Task {
                if await Interruption.wait() { await comparison.interrupt() }
            }
            course = try await comparison.run()
            watch.cancel()
            await watch.value
        } catch {
            fail("\(error)")
        }
        if plan {
            try finishPlan(course, settings, sides.base, loaded.name, runID, directory)
            return
        }
        var notes: [String] = []
        if sides.base.program == sides.head.program, baseSet == headSet {
            notes.append("Base and head are the same program with the same scenario.")
        }
        let verdict = try judge(
            settings, course.progress.blocks, voidTrials: course.progress.voidTrials, notes)
        var record = ComparisonRecord(
            runID: "\(runID)", scenario: loaded.name, base: Self.words(sides.base),
            head: Self.words(sides.head), verdict: verdict, trials: course.trials)
        record.interrupted = course.isInterrupted
        record.start = ISO8601Format.text(secondsSince1970: begin)
        try finish(record, directory)
    }

    private func makeSides(
        _ loaded: TrialScenario, path: String, runID: RunID
    ) throws -> (base: Comparison.Side, head: Comparison.Side) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let place = ComparisonDirectory.path(parent: results, runID: runID)
        func side(_ program: String?, _ overrides: [String]) throws -> Comparison.Side {
            Comparison.Side(
                program: try find(program), overrides: overrides,
                scenario: try ComparisonScenario(
                    loaded, path: path, folder: folder, overrides: overrides, place: place))
        }
        do {
            let baseSide = try side(base, baseSet)
            return (baseSide, plan ? baseSide : try side(head, headSet))
        } catch let code as ExitCode {
            throw code
        } catch {
            say("\(error)")
            throw ExitCode(104)
        }
    }

    /// Finds a program; without a name, this one.
    private func find(_ name: String?) throws -> String {
        guard let name else {
            let own = "/proc/self/exe"
            return (try? FileManager.default.destinationOfSymbolicLink(atPath: own)) ?? own
        }
        switch Program.search(name) {
        case .found(let path): return path
        case .notExecutable: fail("\(name) is no program that may be executed", code: 2)
        case .missing:
            fail("there is no program \(name); give the path of a millrace", code: 2)
        }
    }

    private func finishPlan(
        _ course: Comparison.Course, _ settings: GateSettings, _ side: Comparison.Side,
        _ scenario: String, _ runID: RunID, _ directory: ComparisonDirectory
    ) throws {
        if course.isInterrupted {
            say("interrupted: \(directory.path) has the runs, and there is no plan")
            throw ExitCode(105)
        }
        do {
            let plan = try ComparisonPlan(
                runID: "\(runID)", scenario: scenario, base: Self.words(side), settings: settings,
                blocks: course.progress.blocks, trials: course.trials)
            try directory.write(json: plan, to: "plan.json")
            let text = json ? try ResultsJSON.text(plan) : plan.text
            if !quiet { say("results: \(directory.path)") }
            print(Redaction.urls(in: text), isJSON: json, terminator: "")
        } catch {
            fail("\(error)", code: 98)
        }
    }

    // MARK: Results that exist

    private func compareResults(_ settings: GateSettings) throws {
        let pairs: ResultPairs
        do {
            pairs = try ResultPairs(base: baseResults, head: headResults)
        } catch {
            fail("\(error)", code: 2)
        }
        var settings = settings
        settings.blocks = pairs.fixedBlocks
        let verdict = try judge(
            settings, pairs.blocks, voidTrials: pairs.voidTrials, pairs.notes)
        let runID = newRunID()
        var record = ComparisonRecord(
            runID: "\(runID)", scenario: "", base: .init(), head: .init(), verdict: verdict,
            trials: pairs.trials)
        record.start = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        do {
            try finish(record, try ComparisonDirectory(parent: results, runID: runID))
        } catch let error as ResultsError {
            fail("\(error)")
        }
    }

    // MARK: Both

    private func newRunID() -> RunID {
        RunID(secondsSince1970: Date().timeIntervalSince1970, entropy: .random(in: 0 ... .max))
    }

    private func judge(
        _ settings: GateSettings, _ blocks: [GateBlock], voidTrials: Int, _ notes: [String]
    ) throws -> GateVerdict {
        do {
            return try GateVerdict(
                comparing: settings, blocks: blocks, voidTrials: voidTrials, notes: notes)
        } catch {
            fail("\(error)", code: 98)
        }
    }

    /// Writes the files and prints the verdict. If a file cannot be written, that is told, and the
    /// verdict stands.
    private func finish(_ record: ComparisonRecord, _ directory: ComparisonDirectory) throws {
        var record = record
        record.end = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        do {
            try record.write(to: directory)
            if !quiet { say("results: \(directory.path)") }
        } catch {
            say("\(error)")
        }
        let text = json ? try ResultsJSON.text(record) : ComparisonReport(record).text
        print(Redaction.urls(in: text), isJSON: json, terminator: "")
        fflush(nil)
        throw ExitCode(record.exitCode)
    }

    private static func words(_ side: Comparison.Side) -> ComparisonRecord.Side {
        .init(program: side.program, overrides: side.overrides)
    }
}

/// An allowed change in percent, such as `5%`.
struct AllowedChange: ExpressibleByArgument {
    /// The change as a share, 0 to 1.
    var share: Double

    init(share: Double) { self.share = share }

    init?(argument: String) {
        guard argument.hasSuffix("%"),
            let percent = Double(argument.dropLast().filter { $0 != " " }), percent >= 0,
            percent <= 100
        else { return nil }
        share = percent / 100
    }

    var defaultValueDescription: String { "\(Int(share * 100))%" }
}
