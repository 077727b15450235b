import Foundation
import Results
import Scenario
import Stacks
import Statistics
import Trials

/// One run of a scenario in a temporary folder, which is removed after the run.
enum BenchTrial {
    /// Runs a scenario to its end and reads its results.
    ///
    /// - Parameters:
    ///   - yaml: Text of the scenario.
    ///   - name: File name in the scenario's reported faults.
    /// - Throws: `ScenarioErrors`, `ResultsError`, or a `StackError` if the run did not pass.
    static func run(_ yaml: String, name: String) async throws -> RunResults {
        try await runWithDelays(yaml, name: name).results
    }

    /// Does the same, and returns the delays that all probes saw together as well.
    ///
    /// - Parameter stream: Stream whose delays do not count; nil = all count.
    static func runWithDelays(
        _ yaml: String, name: String, leavingOut stream: String? = nil
    ) async throws -> (results: RunResults, delays: DelayHistogram) {
        let scenario = try TrialScenario.parse(yaml, file: name)
        return try await withTemporaryDirectory { directory in
            var options = TrialRunner.Options()
            options.resultsDirectory = directory
            options.isQuiet = true
            let (path, summary) = try await TrialRunner(scenario, options: options).run()
            guard summary.outcome == .passed else {
                throw StackError(
                    driver: scenario.stack.driver.rawValue,
                    message: summary.notes.joined(separator: "; "))
            }
            let delays = try TrialFiles.probeDelays(directory: path, leavingOut: stream)
            return (try RunResults(path: path), delays)
        }
    }

    /// Calls `body` with a path that no other bench uses. `body` makes the folder itself if it
    /// needs one. The folder is removed at the end.
    static func withTemporaryDirectory<Result>(
        _ body: (String) async throws -> Result
    ) async throws -> Result {
        let directory = NSTemporaryDirectory() + "millrace-bench-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try await body(directory)
    }
}

extension RunResults {
    /// Returns the CPU seconds per second that the processes of these roles used in the steady
    /// window.
    func cores(of roles: Set<String>) -> Double {
        summary.roles.filter { roles.contains($0.role) }.reduce(0) { $0 + $1.cpuPercent / 100 }
    }

    /// Media bytes that all viewers received in the steady window.
    var playBytes: Int { viewers.reduce(0) { $0 + ($1.playBytes ?? 0) } }
}
