import ArgumentParser
import Foundation
import Glibc
import Report
import Results
import Scenario
import Searches
import Trials

struct SearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Find the largest load that a server carries, and the pool that carries most.",
        discussion: """
            millrace search scenarios/find-the-limit.yml
            millrace search scenarios/quickstart.yml
            millrace search scenarios/quickstart.yml --vary viewers.count --from 50 --to 2000
            runs trials of the scenario with more and less load until the capacity is known within \
            a width (RFC 9971). A sweep does that for each value of another key, such as \
            stack.threads. A scenario without a search is searched for the number of its viewers, \
            with its thresholds as the goal. DIR/<run-id>/ gets summary.json, search.csv, \
            plots/capacity.svg and a results directory for each trial; Ctrl-C writes what is known, \
            and --resume goes on.
            Exit codes: 0 a capacity was found, 98 no load was good, 97 every trial was void, \
            104 bad scenario, 105 interrupted.
            """)

    @Argument(help: "The scenario; not needed with --resume.")
    var scenario: String?
    @Option(
        name: [.customShort("r"), .customLong("results"), .customLong("out")],
        help: "Where <run-id>/ is made.")
    var results = "results"
    @Option(help: ArgumentHelp("Go on with the search of this directory.", valueName: "dir"))
    var resume: String?
    @Option(help: "Another seed than the scenario's.")
    var seed: Int?
    @Option(help: ArgumentHelp("The children become this user, as with run.", valueName: "name"))
    var user: String?
    @OptionGroup(title: "Search")
    var search: SearchArguments
    @Flag(help: "Print the summary as JSON.")
    var json = false
    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false

    func validate() throws {
        if scenario == nil, resume == nil {
            throw ValidationError("give a scenario, or --resume DIR of an interrupted search")
        }
        if let seed { try check(seed, in: 0...Int(Int32.max), "--seed") }
    }

    func run() async throws {
        let begun = try resume.map(begunSummary)
        let (plan, planNotes) = try makePlan(resuming: begun)
        if !quiet { for note in planNotes { say("note: \(note)") } }
        let notes = TrialEnvironment.enter(
            congestionControl: plan.scenario.congestionControl.rawValue,
            isolates: !plan.sweepsDriver("external"), user: user)
        var trialOptions = TrialRunner.Options()
        trialOptions.argv = CommandLine.arguments
        trialOptions.notes = notes
        var options = SearchRunner.Options()
        options.isQuiet = quiet
        options.argv = CommandLine.arguments
        options.notes = planNotes + notes
        let directory: SearchDirectory
        let summary: SearchSummary
        do {
            directory = try resume.map { SearchDirectory(path: $0) } ?? newDirectory()
            let runner = try SearchRunner(
                plan, trials: SearchTrialRunner(trialOptions), directory: directory,
                resuming: begun, options: options)
            if !quiet { say("search: \(directory.path)") }
            let watch = Task {
                if await Interruption.wait() { await runner.interrupt() }
            }
            summary = try await runner.run()
            watch.cancel()
            await watch.value
        } catch {
            fail("\(error)")
        }
        SearchFiles.writePlot(summary, to: directory)
        print(
            Redaction.urls(
                in: json ? try ResultsJSON.text(summary) : SearchReport(summary).text),
            isJSON: json, terminator: "")
        fflush(nil)
        if !quiet { say("results: \(directory.path)") }
        throw ExitCode(Self.code(of: summary.outcome))
    }

    private func newDirectory() throws -> SearchDirectory {
        try SearchDirectory(
            parent: results,
            runID: RunID(
                secondsSince1970: Date().timeIntervalSince1970, entropy: .random(in: 0 ... .max)))
    }

    private func begunSummary(_ path: String) throws -> SearchSummary {
        do {
            return try SearchSummary.load(directory: path)
        } catch {
            fail("\(error)", code: 2)
        }
    }

    /// The plan of the scenario with the options of the command line, and notes on what a scenario
    /// without a search was given.
    private func makePlan(
        resuming begun: SearchSummary?
    ) throws -> (plan: SearchPlan, notes: [String]) {
        do {
            let (path, folder, found) = try readScenario(resuming: begun)
            if search.options.isEmpty, found.search != nil {
                return (try SearchPlan(found, file: path, folder: folder), [])
            }
            let file = "\(path) with the options of the command line"
            var tree = try ScenarioTree(found, file: file, folder: folder)
            try tree.apply(search.options)
            let notes = found.search == nil ? try tree.completeSearch(of: found) : []
            let changed = try tree.scenario()
            return (try SearchPlan(changed, file: path, folder: folder), notes)
        } catch let code as ExitCode {
            throw code
        } catch {
            say("\(error)")
            throw ExitCode(104)
        }
    }

    /// The scenario: the given one or, of a search that goes on, the one in its directory.
    private func readScenario(
        resuming begun: SearchSummary?
    ) throws -> (path: String, folder: String, scenario: TrialScenario) {
        if let scenario {
            let folder = URL(fileURLWithPath: scenario).deletingLastPathComponent().path
            return (scenario, folder, try ScenarioArgument.load(scenario, seed: seed))
        }
        let path = "\(resume ?? ".")/\(SearchDirectory.scenarioName)"
        let folder = begun?.folder ?? "."
        let text = try ScenarioText.text(path)
        let found = try TrialScenario.parse(text, file: path, folder: folder, seed: seed)
        return (path, folder, found)
    }

    private static func code(of outcome: String) -> Int32 {
        switch outcome {
        case "complete": 0
        case "void": 97
        case "interrupted": 105
        default: 98
        }
    }
}

/// Settings of a search on the command line. They replace the scenario's own.
struct SearchArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The key that holds the load; without 'search' in the scenario: viewers.count.",
            valueName: "key"))
    var vary: String?
    @Option(
        help: ArgumentHelp(
            "Smallest load: a whole number, or a bit rate such as 2Mbps; without 'search' in the scenario: the least that is possible.",
            valueName: "from"))
    var from: String?
    @Option(help: "Largest load; without 'search' in the scenario: 100 times its own.")
    var to: String?
    @Option(help: "First load; the smallest, or without 'search' the scenario's own.")
    var start: String?
    @Option(
        help: ArgumentHelp(
            "A goal such as 'delay_ms=p(99)<50'; may be given several times.",
            valueName: "metric=expression"))
    var goal: [String] = []
    @Option(help: "Largest distance of the bounds, such as 5%.")
    var width: String?
    @Option(help: "Steady window of a first trial, such as 3s.")
    var trial: String?
    @Option(name: .customLong("final"), help: "Steady window of a confirming trial, such as 8s.")
    var finalTrial: String?
    @Option(help: "Measured time that makes a load a bound, such as 16s.")
    var sum: String?
    @Option(help: "Time for each search, such as 10min.")
    var budget: String?
    @Option(
        help: ArgumentHelp(
            "A search for each value of a key, such as stack.threads=1,2,4.",
            valueName: "key=values"))
    var sweep: String?
    @Option(help: "Searches for each value.")
    var repeats: Int?
    @Flag(inversion: .prefixedNo, help: "Measure the generators without the server first.")
    var calibrate: Bool?

    var options: SearchOptions {
        var options = SearchOptions()
        options.vary = vary
        options.from = from
        options.to = to
        options.start = start
        options.goals = goal
        options.width = width
        options.trial = trial
        options.finalTrial = finalTrial
        options.sum = sum
        options.budget = budget
        options.sweep = sweep
        options.repeats = repeats
        options.calibrates = calibrate
        return options
    }
}

/// Files of a search that are made from its summary.
enum SearchFiles {
    static let plotName = "plots/capacity.svg"

    /// Draws the capacity. If that cannot be written, the fault is told, and the report stands.
    static func writePlot(_ summary: SearchSummary, to directory: SearchDirectory) {
        let svg = CapacityPlot(summary).svg
        guard !svg.isEmpty else { return }
        do {
            try directory.write(svg, to: plotName)
        } catch {
            say("\(error); make room, then 'millrace report \(directory.path)' draws it")
        }
    }
}
