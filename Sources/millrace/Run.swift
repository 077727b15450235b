import ArgumentParser
import Foundation
import Glibc
import NetemShell
import Processes
import Report
import Results
import Scenario
import Searches
import Simulations
import Trials
import Workers

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a scenario and write its results directory.",
        discussion: """
            millrace run scenarios/quickstart.yml
            Everything is in DIR/<run-id>/: manifest.json, summary.json, the CSV files (columns in \
            schema.json), report.html, junit.xml.
            Exit codes: 0 pass, 99 a threshold failed, 97 the trial is void, 104 bad scenario, \
            105 interrupted.
            """)

    @Argument(help: "The scenario file; 'millrace schema' prints what it may hold.")
    var scenario: String
    @Option(name: .shortAndLong, help: "Where <run-id>/ is made.")
    var results = "results"
    @Option(help: "Another seed than the scenario's.")
    var seed: Int?
    @Option(
        help: ArgumentHelp(
            "The server, viewers, publishers and capture of the run become this user once their ports, captures and namespaces are open; the runner itself stays root, for it takes the namespaces down.",
            valueName: "name"))
    var user: String?
    @Flag(help: "Print the summary as JSON.")
    var json = false
    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false

    func validate() throws {
        if let seed { try check(seed, in: 0...Int(Int32.max), "--seed") }
    }

    func run() async throws {
        let scenario = try ScenarioArgument.load(scenario, seed: seed)
        let notes = TrialEnvironment.enter(
            congestionControl: scenario.congestionControl.rawValue,
            isolates: scenario.stack.driver != .external, user: user)
        var options = TrialRunner.Options()
        options.resultsDirectory = results
        options.isQuiet = quiet
        options.argv = CommandLine.arguments
        options.notes = notes
        let runner: TrialRunner
        let measured: RunResults
        do {
            runner = try TrialRunner(scenario, options: options)
            let watch = Task {
                if await Interruption.wait() { await runner.interrupt() }
            }
            measured = try await runner.measure()
            watch.cancel()
            await watch.value
        } catch {
            fail("\(error)")
        }
        // The verdict comes first, so it is printed and determines the exit code whatever happens
        // to the files. It hides the same secrets as the files, because both are shown to other
        // people.
        print(
            Redaction.urls(
                in: json ? try JSONReport(measured).text() : SummaryReport(measured).text),
            isJSON: json)
        fflush(nil)
        await save(measured, by: runner)
        fflush(nil)
        throw ExitCode(Self.code(of: measured.summary.outcome))
    }

    private func save(_ measured: RunResults, by runner: TrialRunner) async {
        do {
            let path = try await runner.save(measured)
            ReportFiles.write(try RunResults(path: path), to: path)
            if !quiet { say("results: \(path)\nreport:  \(path)/report.html") }
        } catch {
            say("\(error). The verdict stands, but the results of this run are lost")
        }
    }

    private static func code(of outcome: Summary.Outcome) -> Int32 {
        switch outcome {
        case .passed: 0
        case .failed: 99
        case .void: 97
        case .interrupted: 105
        }
    }
}

/// What this process does before it runs its first trial.
enum TrialEnvironment {
    /// Chooses the user of the children and enters a network namespace.
    ///
    /// - Parameters:
    ///   - isolates: Whether the server under test is in the namespace too; an external one is not.
    ///   - user: Name of the children's user; nil = the user of this process.
    /// - Returns: Notes for the summaries of the trials.
    static func enter(congestionControl: String, isolates: Bool, user: String?) -> [String] {
        if let user {
            do throws(Privileges.Fault) {
                try Privileges.check(user)
            } catch {
                fail(error.description, code: 2)
            }
            setenv(Privileges.workerVariable, user, 1)
        }
        guard isolates,
            let why = NetworkIsolation.enter(congestionControl: congestionControl)
        else { return [] }
        return [why]
    }
}

/// Loads scenarios and prints their errors in the form that compilers use.
enum ScenarioArgument {
    /// - Parameter seed: Seed that replaces the scenario's own.
    static func load(_ path: String, seed: Int? = nil) throws -> TrialScenario {
        try check(path, is: .trial)
        do {
            return try TrialScenario.load(path: path, seed: seed)
        } catch {
            say("\(error)")
            throw ExitCode(104)
        }
    }

    /// Refuses a file that is for another command.
    static func check(_ path: String, is wanted: ScenarioKind) throws {
        // If a file does not say its kind, the reader reports its faults.
        guard let kind = ScenarioKind.of(path: path), kind != wanted else { return }
        say(
            "\(path): is a \(kind.rawValue) scenario; take it to 'millrace \(kind.command) \(path)'"
        )
        throw ExitCode(104)
    }
}

/// The reports that are made from a results directory and written back into it.
enum ReportFiles {
    /// Writes the reports; the one that machines read comes first. If a report cannot be written,
    /// that is reported, and the other report is still tried.
    static func write(_ results: RunResults, to path: String) {
        for (name, text) in [
            ("junit.xml", JUnitReport(results).text), ("report.html", HTMLReport(results).text),
        ] {
            do {
                let file = "\(path)/\(name)"
                try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
                // The permissions are those of the other files in the directory: figures of a
                // system are not for every user of a machine.
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o640], ofItemAtPath: file)
            } catch {
                say(
                    "\(path)/\(name) cannot be written (\(error.localizedDescription)); make room, then 'millrace report \(path)' makes it"
                )
            }
        }
    }
}

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Make report.html, junit.xml and the summary again from results directories.",
        discussion: """
            If a directory holds the record of its run (record.json), the figures are computed \
            again from it, and CSV files and summary are replaced if they changed.
            Of several runs that know the delays inside their servers, the first one is the base: \
            what grew in the others (queueing, service, write, run queue) is printed, and \
            delay-vs-threads.svg is drawn.
            """)

    @Argument(help: "Results directories.")
    var paths: [String]
    @Option(
        help: ArgumentHelp(
            "Where delay-vs-threads.svg is written; default: the first directory.",
            valueName: "dir"))
    var out: String?
    @Flag(help: "Print the summaries as JSON.")
    var json = false

    func run() throws {
        var runs: [RunResults] = []
        for path in paths {
            if let simulation = SimulationSummary.read(directory: path) {
                let report = SimulationReport(simulation)
                print(
                    json ? try ResultsJSON.text(simulation) : report.text, isJSON: json,
                    terminator: "")
                continue
            }
            if let ladder = LadderSummary.read(directory: path) {
                print(
                    json ? try ResultsJSON.text(ladder) : LadderReport(ladder).text, isJSON: json,
                    terminator: "")
                continue
            }
            if let search = searchSummary(path) {
                SearchFiles.writePlot(search, to: SearchDirectory(path: path))
                print(
                    Redaction.urls(
                        in: json ? try ResultsJSON.text(search) : SearchReport(search).text),
                    isJSON: json, terminator: "")
                continue
            }
            let results: RunResults
            do {
                if let again = try TrialFiles.refresh(directory: path) {
                    results = again.results
                    if !again.replaced.isEmpty {
                        say(
                            "\(path): figures computed again from the record; replaced: "
                                + again.replaced.joined(separator: ", "))
                    }
                } else {
                    results = try RunResults(path: path)
                }
            } catch {
                fail("\(error)", code: 2)
            }
            ReportFiles.write(results, to: path)
            print(
                json ? try JSONReport(results).text() : SummaryReport(results).text, isJSON: json)
            runs.append(results)
        }
        explainDelays(of: runs)
    }

    private func searchSummary(_ path: String) -> SearchSummary? {
        do {
            return try SearchSummary.read(directory: path)
        } catch {
            fail("\(error)", code: 2)
        }
    }

    /// Compares the delays inside the servers of several runs.
    private func explainDelays(of runs: [RunResults]) {
        guard !json, let explanation = DelayExplanation(runs) else { return }
        print(explanation.text, terminator: "")
        let figure = explanation.figure
        guard !figure.isEmpty, let directory = out ?? paths.first else { return }
        let file = "\(directory)/\(DelayExplanation.figureName)"
        do {
            try Data(figure.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
            say("figure: \(file)")
        } catch {
            say(
                "\(file) cannot be written (\(error.localizedDescription)); give a writable directory with --out"
            )
        }
    }
}

struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check scenarios; every error with its line and the nearest valid name.")

    @Argument(help: "Scenario files.")
    var scenarios: [String]

    func run() throws {
        var failed = false
        for path in scenarios {
            do {
                let scenario = try (ScenarioKind.of(path: path) ?? .trial).load(path: path)
                print("\(path): ok, sha256 \(scenario.sha256)")
            } catch {
                say("\(error)")
                failed = true
            }
        }
        if failed { throw ExitCode(104) }
    }
}

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a scenario with every default filled in, and a run's plan in words.")

    @Argument(help: "The scenario file.")
    var scenario: String

    func run() throws {
        let kind = ScenarioKind.of(path: scenario) ?? .trial
        if kind == .trial { return print(try ScenarioArgument.load(scenario).explanation) }
        do {
            print(try kind.load(path: scenario).canonicalYAML, terminator: "")
        } catch {
            say("\(error)")
            throw ExitCode(104)
        }
    }
}

struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the JSON Schema (draft-07) of scenario files, for editors.")

    enum Kind: String, CaseIterable, ExpressibleByArgument { case trial, simulation, ladder }

    @Option(help: "Of files for run, simulate or ladder.")
    var kind = Kind.trial

    func run() { print(ScenarioKind(rawValue: kind.rawValue)?.schema ?? "", terminator: "") }
}

/// The children of a run. People do not call this command.
struct WorkerProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker", shouldDisplay: false)

    @Argument
    var role: String

    func run() async throws {
        let code: Int32 =
            switch role {
            case ServerRole.name: await WorkerMain.run(ServerRole.self)
            case FloorRole.name: await WorkerMain.run(FloorRole.self)
            case EdgeRole.name: await WorkerMain.run(EdgeRole.self)
            case PublisherRole.name: await WorkerMain.run(PublisherRole.self)
            case LoadViewerRole.name: await WorkerMain.run(LoadViewerRole.self)
            case HLSViewerRole.name: await WorkerMain.run(HLSViewerRole.self)
            case LinkRole.name: await WorkerMain.run(LinkRole.self)
            case CaptureRole.name: await WorkerMain.run(CaptureRole.self)
            case ProbeRole.name: await WorkerMain.run(ProbeRole.self)
            case SinkRole.name: await WorkerMain.run(SinkRole.self)
            case APIFloodRole.name: await WorkerMain.run(APIFloodRole.self)
            default: 2
            }
        throw ExitCode(code)
    }
}
