import Foundation
package import Results
package import Scenario
import Statistics
package import Trials

/// What a search needs to know about one trial.
package struct SearchObservation: Sendable, Equatable {
    /// The verdicts on the trial's thresholds.
    package var thresholds: [ThresholdResult] = []
    /// Reason why the trial is no verdict on the server; nil if it is one.
    package var voidReason: String?
    /// Whether the server ended before the trial did, so no goal holds.
    package var hasEndedEarly = false
    /// Whether the server read so slowly that the publishers, though in time, could not send. Such a
    /// trial is void alone, but in a search no goal holds: RFC 9971 ("Measurer") counts a load that
    /// was offered less than intended as loss.
    package var hasHeldPublishers = false
    /// Payload that all viewers received, in Mbit per second of the window; nil = no data.
    package var deliveredMegabits: Double?
    /// CPU of the server; 100 = one core; nil = no data.
    package var serverCPUPercent: Double?
    /// CPU of publishers, viewers and probes together; 100 = one core; nil = no data.
    package var generatorCPUPercent: Double?
    /// The server's busiest thread or group of threads, and the run's, in words.
    package var busiest: String?
    /// Largest 99th percentile of the viewers' delay over the renditions; nil = no data.
    package var delayP99Milliseconds: Double?

    package init() {}

    /// Reason why no goal holds, whatever the figures are; nil if the figures decide.
    var failure: String? {
        if hasEndedEarly { return "the server ended before the trial did" }
        return hasHeldPublishers
            ? "the publishers were in time and could not send every frame, because the server did "
                + "not read on"
            : nil
    }
}

/// Runs the trials of a search.
package protocol SearchTrialRunning: Sendable {
    /// Runs one trial.
    ///
    /// - Parameters:
    ///   - folder: Folder that gets the results directory.
    ///   - name: Name of the results directory.
    /// - Returns: nil if the trial was interrupted.
    /// - Throws: `ResultsError` if the results cannot be written.
    func run(
        _ scenario: TrialScenario, folder: String, name: String
    ) async throws -> SearchObservation?

    /// Ends the trial that runs now, and every later one at its start.
    func interrupt() async
}

/// Runs trials with real processes and sockets.
package actor SearchTrialRunner: SearchTrialRunning {
    private let options: TrialRunner.Options
    private var runner: TrialRunner?
    private var isInterrupted = false

    /// - Parameter options: Options of every trial. The search chooses the directory, and shows its
    ///   own progress.
    package init(_ options: TrialRunner.Options) {
        var options = options
        options.isQuiet = true
        self.options = options
    }

    package func interrupt() async {
        isInterrupted = true
        await runner?.interrupt()
    }

    package func run(
        _ scenario: TrialScenario, folder: String, name: String
    ) async throws -> SearchObservation? {
        guard !isInterrupted else { return nil }
        var options = options
        options.resultsDirectory = folder
        let runner = try TrialRunner(scenario, options: options)
        self.runner = runner
        let results = try await runner.measure()
        let path = try await runner.save(results)
        self.runner = nil
        let place = "\(folder)/\(name)"
        // A trial of the same name is left over from a search that was killed in that trial.
        try? FileManager.default.removeItem(atPath: place)
        do {
            try FileManager.default.moveItem(atPath: path, toPath: place)
        } catch {
            throw ResultsError(
                path: place,
                message: "the trial cannot take its name (\(error.localizedDescription)); its "
                    + "results are in \(path)")
        }
        return results.summary.outcome == .interrupted ? nil : SearchObservation(results)
    }
}

extension SearchObservation {
    /// - Parameter results: Results of a trial that was not interrupted.
    init(_ results: RunResults) {
        let summary = results.summary
        thresholds = summary.thresholds
        if summary.outcome == .void, results.manifest.validity.isOnlyShortOfFrames {
            hasHeldPublishers = true
        } else if summary.outcome == .void {
            voidReason = results.manifest.validity.voidText
        }
        hasEndedEarly = summary.outcome == .failed && summary.earlyEnd != nil
        let window = results.manifest.window
        let seconds = window.endSeconds - window.startSeconds
        if seconds > 0, seconds.isFinite, !results.viewers.isEmpty {
            let bytes = results.viewers.reduce(0.0) { $0 + Double($1.playBytes ?? 0) }
            deliveredMegabits = bytes * 8 / 1e6 / seconds
        }
        let roles = summary.roles
        serverCPUPercent = roles.first { $0.role == "server" }?.cpuPercent
        let generators = roles.filter { Self.generatorRoles.contains($0.role) }
        if !generators.isEmpty {
            generatorCPUPercent = generators.reduce(0) { $0 + $1.cpuPercent }
        }
        busiest = Self.words(summary.busiestThreads ?? []) ?? Self.busiestGroup(results.processes)
        delayP99Milliseconds = results.renditions.filter { $0.vantage == "viewer" }
            .compactMap(\.delayP99Milliseconds).max()
    }

    private static let generatorRoles: Set<String> = [
        "publishers", "viewers", "probes", "hls", "hls-probes", "sinks", "api-flood",
    ]

    /// The busiest thread of the server and, if it is another, the busiest of the run.
    private static func words(_ threads: [BusyThread]) -> String? {
        guard let own = threads.first(where: { $0.role == "server" }) else { return nil }
        var words = "\(own.thread) \(Figure.number(own.cpuPercent)) %"
        if let first = threads.max(by: { $0.cpuPercent < $1.cpuPercent }), first.role != own.role {
            words +=
                "; busiest of the run: \(first.thread) of \(first.role) "
                + "\(Figure.number(first.cpuPercent)) %"
        }
        return words
    }

    /// The server's group of threads with the largest mean CPU in the steady window.
    private static func busiestGroup(_ rows: [ProcessRow]) -> String? {
        let groups = Dictionary(
            grouping: rows.filter {
                $0.role == "server" && $0.steady == 1 && !$0.threadGroup.isEmpty
            }, by: \.threadGroup)
        let means = groups.map { name, rows in
            let total = rows.reduce(0.0) { $0 + ($1.cpuPercent ?? 0) }
            return (name: name, percent: total / Double(rows.count))
        }
        let busiest = means.max { ($0.percent, $1.name) < ($1.percent, $0.name) }
        return busiest.map { "\($0.name) \(Figure.number($0.percent)) %" }
    }
}
