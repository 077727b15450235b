import Foundation
package import Gate
import Glibc
import Processes
import Results
import Statistics

/// A comparison that runs both sides: it takes the runs in the order of the gate, one after the
/// other, and records their figures.
package actor Comparison {
    /// A side of the comparison, ready to run.
    package struct Side: Sendable {
        package var program: String
        package var overrides: [String]
        package var scenario: ComparisonScenario

        package init(program: String, overrides: [String], scenario: ComparisonScenario) {
            self.program = program
            self.overrides = overrides
            self.scenario = scenario
        }
    }

    /// What the runs gave.
    package struct Course: Sendable {
        package var progress: GateProgress
        package var trials: [ComparisonRecord.Trial]
        package var isInterrupted: Bool
    }

    private let base: Side
    private let head: Side
    private let runner: any ComparisonTrialRunning
    private let directory: ComparisonDirectory
    /// Shows a line of progress.
    private let tell: @Sendable (String) -> Void
    private var progress: GateProgress
    private var trials: [ComparisonRecord.Trial] = []
    private var isInterrupted = false

    /// - Parameter tell: Function that shows a line of progress.
    package init(
        base: Side, head: Side, schedule: BlockSchedule, runner: any ComparisonTrialRunning,
        directory: ComparisonDirectory, tell: @escaping @Sendable (String) -> Void
    ) {
        (self.base, self.head, self.runner) = (base, head, runner)
        (self.directory, self.tell) = (directory, tell)
        progress = GateProgress(schedule)
    }

    /// Ends the run that is going on. `run()` then returns with what is known.
    package func interrupt() async {
        isInterrupted = true
        await runner.interrupt()
    }

    /// Runs every trial of the gate.
    ///
    /// - Throws: `ComparisonFault` if a program cannot run the scenario at all, `ResultsError` if
    ///   the scenario of a side cannot be written, `GateFault`.
    package func run() async throws -> Course {
        defer {
            for side in [GateSide.base, .head] { directory.removeScenario(side: side.rawValue) }
        }
        let paths = [
            GateSide.base: try path(of: base.scenario, .base),
            .head: try path(of: head.scenario, .head),
        ]
        while !isInterrupted, case .run(let run) = progress.next() {
            guard let path = paths[run.side], let trial = try await self.trial(run, path) else {
                break
            }
            try progress.record(trial)
        }
        return Course(progress: progress, trials: trials, isInterrupted: isInterrupted)
    }

    private func path(
        of scenario: ComparisonScenario, _ side: GateSide
    ) throws(ResultsError) -> String {
        guard let text = scenario.text else { return scenario.path }
        return try directory.writeScenario(text, side: side.rawValue)
    }

    /// Runs one trial; nil if it was interrupted.
    private func trial(_ run: BlockSchedule.Run, _ scenario: String) async throws -> GateTrial? {
        let side = run.side == .base ? base : head
        let number = trials.count + 1
        let digits = String(repeating: "0", count: max(0, 3 - "\(number)".count)) + "\(number)"
        let folder =
            "\(directory.path)/\(ComparisonDirectory.trialsFolder)/\(digits)-\(run.side.rawValue)"
        let clock = ContinuousClock()
        let start = clock.now
        guard
            let end = try await runner.run(
                ComparisonRun(
                    program: side.program, scenario: scenario, folder: folder,
                    limit: side.scenario.limit))
        else { return nil }
        let trial = try Self.trial(run, end, program: side.program, limit: side.scenario.limit)
        trials.append(
            ComparisonRecord.Trial(
                trial, directory: end.directory ?? folder,
                seconds: (clock.now - start) / .seconds(1)))
        tell(Self.line(trial, blocks: progress.schedule.orders.count))
        return trial
    }

    /// Turns the end of a run into a trial of the gate.
    ///
    /// - Throws: `ComparisonFault` if the program refuses the scenario, or if it has no results
    ///   already in the warm-up: running it again would give nothing.
    static func trial(
        _ run: BlockSchedule.Run, _ end: ComparisonRunEnd, program: String, limit: Duration
    ) throws(ComparisonFault) -> GateTrial {
        func void(_ reason: String) -> GateTrial {
            GateTrial(block: run.block, side: run.side, figures: [:], voidReason: reason)
        }
        if end.isLate {
            let seconds = Figure.number(limit / .seconds(1), digits: 0)
            return void("the run took longer than \(seconds) s and was ended")
        }
        if let directory = end.directory {
            do {
                let figures = try RunFigures(directory: directory)
                return GateTrial(
                    block: run.block, side: run.side, figures: figures.figures,
                    voidReason: figures.voidReason, serverFault: figures.serverFault)
            } catch {
                return void("\(error)")
            }
        }
        let words = end.words.isEmpty ? "" : ": \(end.words)"
        let reason = "\(program) \(end.status) and left no results\(words)"
        let isRefusal = end.status == .exited(2) || end.status == .exited(104)
        guard run.block > 0, !isRefusal else {
            throw ComparisonFault(
                "the \(run.side.rawValue) cannot run the scenario: \(reason)")
        }
        return void(reason)
    }

    /// A line of progress, such as `block 3 of 10, head: p99 4.1 ms`.
    static func line(_ trial: GateTrial, blocks: Int) -> String {
        let place = trial.block == 0 ? "warm-up" : "block \(trial.block) of \(blocks)"
        let words: String
        if let reason = trial.voidReason {
            words = "void (\(reason))"
        } else if let delay = trial.figures[RunFigures.Name.delay] {
            words = "p99 \(Figure.number(delay)) ms"
        } else if let cpu = trial.figures[RunFigures.Name.serverCPU] {
            words = "server CPU \(Figure.number(cpu, digits: 3)) s/Gbit"
        } else {
            words = "done"
        }
        return "\(place), \(trial.side.rawValue): \(words)"
    }
}
