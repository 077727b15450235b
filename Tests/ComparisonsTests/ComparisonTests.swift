import Foundation
import Gate
import Processes
import Results
import Scenario
import Synchronization
import Testing

@testable import Comparisons

/// Runs that write small results directories, without processes.
private final class FakeRuns: ComparisonTrialRunning {
    private let count = Mutex(0)
    private let scenarios = Mutex<Set<String>>([])
    /// End of a run by its number, from 1; nil = interrupted.
    private let end: @Sendable (_ number: Int, _ run: ComparisonRun) throws -> ComparisonRunEnd?

    init(
        _ end: @escaping @Sendable (Int, ComparisonRun) throws -> ComparisonRunEnd?
    ) { self.end = end }

    var runs: Int { count.withLock { $0 } }
    var texts: Set<String> { scenarios.withLock { $0 } }

    func interrupt() async {}

    func run(_ run: ComparisonRun) async throws(ComparisonFault) -> ComparisonRunEnd? {
        let number = count.withLock { count in
            count += 1
            return count
        }
        if let text = try? String(contentsOfFile: run.scenario, encoding: .utf8) {
            _ = scenarios.withLock { $0.insert(text) }
        }
        do {
            return try end(number, run)
        } catch {
            throw ComparisonFault("\(error)")
        }
    }
}

@Suite struct ComparisonTests {
    private let folder = SmallResults.temporaryFolder()

    private func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private func comparison(
        _ runs: FakeRuns, headOverrides: [String] = []
    ) throws -> Comparison {
        let scenario = try TrialScenario.parse(
            "version: 1\nname: s\nstreams: [{name: live}]\nviewers: [{count: 4}]\n")
        func side(_ program: String, _ overrides: [String]) throws -> Comparison.Side {
            .init(
                program: program, overrides: overrides,
                scenario: try ComparisonScenario(
                    scenario, path: "s.yml", folder: ".", overrides: overrides, place: folder))
        }
        return Comparison(
            base: try side("/old", []), head: try side("/new", headOverrides),
            schedule: try BlockSchedule(blocks: 8, seed: 5), runner: runs,
            directory: try ComparisonDirectory(
                parent: folder, runID: RunID(secondsSince1970: 0, entropy: 1)), tell: { _ in })
    }

    private static func result(
        _ run: ComparisonRun, delay: Double, void: String? = nil
    ) throws -> ComparisonRunEnd {
        ComparisonRunEnd(
            status: .exited(void == nil ? 0 : 97),
            directory: try SmallResults.write(delay: delay, void: void, to: run.folder))
    }

    @Test func voidRunsAreReplaced() async throws {
        defer { remove() }
        let runs = FakeRuns { number, run in
            try Self.result(
                run, delay: run.program == "/new" ? 8 : 4, void: number == 4 ? "steal" : nil)
        }
        let course = try await comparison(runs, headOverrides: ["viewers.count=5"]).run()
        // The second run of the first block is void, so that the block is run again.
        #expect(runs.runs == 20 && course.trials.count == 20)
        #expect(course.progress.voidTrials == 1 && course.progress.blocks.count == 8)
        #expect(course.progress.blocks.allSatisfy { $0.head["delay_p99_ms"] == 8 })
        #expect(course.trials[3].voidReason == "steal" && !course.isInterrupted)
        #expect(runs.texts.count == 1, "the head's scenario was written, and the base's was not")
        let left = try FileManager.default.contentsOfDirectory(atPath: folder + "/")
            .flatMap { try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\($0)") }
        #expect(left == ["trials"], "the changed scenario with its secrets is removed")
        let settings = GateSettings(blocks: 8, seed: 5)
        let verdict = try GateVerdict(
            comparing: settings, blocks: course.progress.blocks,
            voidTrials: course.progress.voidTrials)
        #expect(
            verdict.outcome == .fail && verdict.metrics.map(\.outcome) == [.fail, .pass, .pass])
    }

    @Test func anInterruptedCourseKeepsWhatIsKnown() async throws {
        defer { remove() }
        let runs = FakeRuns { number, run in
            number > 7 ? nil : try Self.result(run, delay: 4)
        }
        let course = try await comparison(runs).run()
        #expect(course.progress.blocks.count == 2 && course.trials.count == 7)
        let verdict = try GateVerdict(
            comparing: GateSettings(blocks: 8, seed: 5), blocks: course.progress.blocks,
            voidTrials: 0)
        #expect(verdict.outcome == .inconclusive)
    }

    @Test func tooManyVoidRunsEndTheComparison() async throws {
        defer { remove() }
        let runs = FakeRuns { number, run in
            number <= 2
                ? try Self.result(run, delay: 4)
                : ComparisonRunEnd(status: .signaled(11), directory: nil)
        }
        let course = try await comparison(runs).run()
        #expect(course.progress.voidTrials == 17 && course.progress.next() == .tooManyVoid)
    }

    @Test func aProgramThatCannotRunEndsTheComparison() async throws {
        defer { remove() }
        let runs = FakeRuns { _, _ in
            var end = ComparisonRunEnd(status: .exited(1), directory: nil)
            end.words = "port 1935 is taken"
            return end
        }
        let error = await #expect(throws: ComparisonFault.self) { try await comparison(runs).run() }
        #expect(error?.description.contains("port 1935 is taken") == true)
        #expect(runs.runs == 1)
    }

    @Test func endsOfRuns() throws {
        let run = BlockSchedule.Run(block: 3, side: .head)
        var late = ComparisonRunEnd(status: .signaled(9), directory: nil)
        late.isLate = true
        func trial(_ end: ComparisonRunEnd) throws -> GateTrial {
            try Comparison.trial(run, end, program: "m", limit: .seconds(60))
        }
        #expect(try trial(late).voidReason == "the run took longer than 60 s and was ended")
        let lost = try trial(ComparisonRunEnd(status: .exited(0), directory: "/nowhere"))
        #expect(lost.voidReason?.contains("/nowhere") == true)
        for code: Int32 in [2, 104] {
            #expect(throws: ComparisonFault.self) {
                try trial(ComparisonRunEnd(status: .exited(code), directory: nil))
            }
        }
        #expect(
            Comparison.line(
                GateTrial(block: 3, side: .head, figures: ["delay_p99_ms": 4.08]), blocks: 10)
                == "block 3 of 10, head: p99 4.1 ms")
        #expect(
            Comparison.line(
                GateTrial(block: 0, side: .base, figures: [:], voidReason: "steal"), blocks: 10)
                == "warm-up, base: void (steal)")
    }

    @Test func thePlanNeedsACompletePilot() throws {
        let settings = GateSettings(blocks: 8, seed: 1)
        let blocks = (1...8).map { number in
            GateBlock(
                block: number, order: nil, base: ["delay_p99_ms": 10],
                head: ["delay_p99_ms": 10 + Double(number % 3) / 10])
        }
        func plan(_ blocks: [GateBlock]) throws -> ComparisonPlan {
            try ComparisonPlan(
                runID: "r", scenario: "s", base: .init(), settings: settings, blocks: blocks,
                trials: [], simulations: 40)
        }
        #expect(throws: ComparisonFault.self) { try plan(Array(blocks.dropLast())) }
        let plan = try plan(blocks)
        #expect(plan.plan.metrics.map(\.metric.name) == ["delay_p99_ms"])
        #expect(plan.text.contains("PLAN  --blocks \(try #require(plan.plan.blocks))"))
        #expect(plan.text.split(separator: "\n").allSatisfy { $0.count <= 80 || $0.contains(":") })
    }
}

/// Runs of real programs, none of which is a millrace.
@Suite struct ComparisonProcessTests {
    @Test func programsRunAndAreInterrupted() async throws {
        let folder = SmallResults.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let trials = ComparisonTrials()
        let run = ComparisonRun(
            program: "/bin/false", scenario: "s", folder: "\(folder)/a", limit: .seconds(60))
        let end = try #require(try await trials.run(run))
        #expect(end.status == .exited(1) && end.directory == nil && !end.isLate)
        var missing = run
        missing.program = "/nowhere/millrace"
        await #expect(throws: ComparisonFault.self) { try await trials.run(missing) }
        await trials.interrupt()
        #expect(try await trials.run(run) == nil)
    }

    @Test func aRunThatTakesTooLongIsEnded() async throws {
        let folder = SmallResults.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let program = "\(folder)/slow"
        try Data("#!/bin/sh\necho 'it is slow' >&2\nexec sleep 600\n".utf8).write(
            to: URL(fileURLWithPath: program))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: program)
        let end = try #require(
            try await ComparisonTrials().run(
                ComparisonRun(
                    program: program, scenario: "s", folder: "\(folder)/a",
                    limit: .milliseconds(500))))
        #expect(end.isLate && end.status == .signaled(15) && end.words == "it is slow")
    }
}
