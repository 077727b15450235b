import Foundation
import Results
import Scenario
import Synchronization

@testable import Searches

/// Trials of a server that is a function of the load, without processes and sockets.
final class FakeTrials: SearchTrialRunning {
    struct Call: Equatable, Sendable {
        var viewers: Int
        var threads: Int
        var driver: String
        var seconds: Double
        var name: String
    }

    private struct State {
        var calls: [Call] = []
        var isInterrupted = false
    }

    private let state = Mutex(State())
    /// The figure of every threshold, by viewers and threads; nil = the trial is void.
    private let figure: @Sendable (_ viewers: Int, _ threads: Int) -> Double?
    /// Number of trials after which every trial is interrupted.
    private let limit: Int
    /// Number of trials after which the disk is full.
    private let room: Int
    /// Number of calibrations that are void, from the first.
    private let voidCalibrations: Int

    init(
        limit: Int = .max, room: Int = .max, voidCalibrations: Int = 0,
        _ figure: @escaping @Sendable (_ viewers: Int, _ threads: Int) -> Double?
    ) {
        (self.limit, self.room, self.figure) = (limit, room, figure)
        self.voidCalibrations = voidCalibrations
    }

    var calls: [Call] { state.withLock { $0.calls } }

    func interrupt() async { state.withLock { $0.isInterrupted = true } }

    func run(
        _ scenario: TrialScenario, folder: String, name: String
    ) async throws -> SearchObservation? {
        let viewers = scenario.viewers.reduce(0) { $0 + $1.count }
        let call = Call(
            viewers: viewers, threads: scenario.stack.threads,
            driver: scenario.stack.driver.rawValue,
            seconds: Double(scenario.duration.components.seconds), name: name)
        let isOver = state.withLock { state in
            guard !state.isInterrupted, state.calls.count < limit else { return true }
            state.calls.append(call)
            return false
        }
        guard !isOver else { return nil }
        guard calls.count <= room else {
            throw ResultsError(path: folder, message: "the disk is full")
        }
        var seen = SearchObservation()
        if call.driver == "floor" {
            let number = calls.count { $0.driver == "floor" }
            if number <= voidCalibrations { seen.voidReason = "steal" }
            return seen
        }
        guard let value = figure(viewers, scenario.stack.threads) else {
            seen.voidReason = "generator lag"
            return seen
        }
        seen.thresholds = scenario.thresholds.map { threshold in
            ThresholdResult(
                metric: threshold.selector, expression: threshold.expression, observed: value,
                limit: threshold.limit,
                passed: threshold.comparison.holds(value, threshold.limit))
        }
        seen.deliveredMegabits = Double(viewers) * 2
        seen.serverCPUPercent = Double(viewers)
        return seen
    }
}

/// A search in a temporary directory.
struct FakeSearch {
    static let text = """
        version: 1
        name: fake
        streams: [{name: live}]
        viewers: [{count: 1}]
        warmup: 1s
        thresholds:
          delay_ms: ["p(99)<50"]
        search: {vary: viewers.count, from: 10, to: 1000, start: 50, calibrate: false}

        """

    let parent: String
    let plan: SearchPlan

    init(_ text: String = FakeSearch.text) throws {
        parent = NSTemporaryDirectory() + "millrace-search-\(UUID().uuidString)"
        plan = try Self.plan(text)
    }

    static func plan(_ text: String) throws -> SearchPlan {
        let scenario = try TrialScenario.parse(text)
        return try SearchPlan(scenario, file: "fake.yml", folder: ".")
    }

    func remove() { try? FileManager.default.removeItem(atPath: parent) }

    func directory() throws -> SearchDirectory {
        try SearchDirectory(
            parent: parent, runID: RunID(secondsSince1970: 0, entropy: .random(in: 0 ... .max)))
    }

    /// Runs the search, or goes on with one.
    func run(
        _ trials: FakeTrials, in directory: SearchDirectory, resuming summary: SearchSummary? = nil
    ) async throws -> SearchSummary {
        var options = SearchRunner.Options()
        options.isQuiet = true
        options.settle = .zero
        let runner = try SearchRunner(
            plan, trials: trials, directory: directory, resuming: summary, options: options)
        return try await runner.run()
    }
}
