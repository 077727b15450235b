import Foundation
import Glibc
import Results
import SimulationKernel
import TestSupport
import Testing

@testable import Analysis
@testable import Trials

/// Checks how stopped processes are recorded.
@Suite struct StopWatchTests {
    private static let second: Int64 = 1_000_000_000
    private static let server: [Int32: AccountedGroup] = [
        7: AccountedGroup(role: "server", processGroup: 7)
    ]

    /// Returns a watch that has sampled at these tenths of a second.
    private static func watch(
        _ tenths: [Int], stopped: (Int) -> [Int32: AccountedGroup]
    ) -> StopWatch {
        var watch = StopWatch()
        for tenth in tenths {
            watch.receive(stopped(tenth), at: Int64(tenth) * second / 10)
        }
        return watch
    }

    @Test func aStopHasItsTimes() throws {
        let watch = Self.watch(Array(0...60)) { (10..<40).contains($0) ? Self.server : [:] }
        let stop = try #require(watch.stops.first)
        #expect(watch.stops.count == 1)
        #expect(stop.name == "server" && stop.isOver && !stop.isOnlooker)
        // A stop lasts from the last sample before it to the first sample after it.
        #expect(stop.fromNanoseconds == 9 * Self.second / 10)
        #expect(stop.untilNanoseconds == 4 * Self.second)
        let window = Window(
            startNanoseconds: 2 * Self.second, endNanoseconds: 3 * Self.second)
        #expect(stop.overlap(window) == Self.second)
        #expect(
            stop.words(from: 0, window: window)
                == "server was stopped from 0.9 s until 4 s, 1 s of it in the steady window "
                + "(by a signal such as SIGSTOP, or a debugger)")
    }

    @Test func oneThatIsNotOverIsToldToo() throws {
        let watch = Self.watch(Array(0...20)) { $0 >= 10 ? Self.server : [:] }
        let stop = try #require(watch.stops.first)
        #expect(!stop.isOver)
        let words = stop.words(
            from: 0, window: Window(startNanoseconds: 0, endNanoseconds: 1))
        #expect(words.hasPrefix("server was stopped from 0.9 s to the end of the run (by"))
    }

    /// Short stops do not count, because tracers stop their processes for moments, and a busy
    /// machine delays the runner.
    @Test func momentsAreNone() {
        var watch = StopWatch()
        for (stopped, milliseconds) in [([:], 0), (Self.server, 90), ([:], 180), ([:], 2100)] {
            watch.receive(stopped, at: Int64(milliseconds) * 1_000_000)
        }
        #expect(watch.stops.isEmpty)
    }

    @Test func theRunnersOwnGapIsAStop() throws {
        let watch = Self.watch([0, 1, 31, 32]) { _ in [:] }
        let stop = try #require(watch.stops.first)
        #expect(watch.stops.count == 1 && stop.isOnlooker)
        #expect(stop.untilNanoseconds - stop.fromNanoseconds == 3 * Self.second)
        let words = stop.words(
            from: 0, window: Window(startNanoseconds: 0, endNanoseconds: 1))
        #expect(words.hasPrefix("the runner was held up from 0.1 s until 3.1 s (stopped"))
    }

    @Test func theyHaveALimit() {
        var watch = StopWatch()
        for k in 0..<(2 * Int64(StopWatch.limit) + 3) {
            watch.receive(k % 2 == 1 ? Self.server : [:], at: k * Self.second)
        }
        #expect(watch.stops.count == StopWatch.limit && watch.uncounted == 1)
    }
}

/// Checks whole runs of the program in which processes are stopped.
@Suite(
    .enabled(if: Programs.millrace != nil, "millrace is not built"), .serialized,
    .timeLimit(.minutes(2)))
struct TrialStopTests {
    /// A process that is stopped in the steady window makes the trial void, whatever its thresholds
    /// say of lag. A stopped server causes delays that are not its own, and load that stopped
    /// generators did not offer says nothing about the server.
    @Test func heldChildrenVoidTheTrial() async throws {
        let trial = try TrialProcess(duration: "8s")
        defer { trial.remove() }
        let children = try await trial.waitForChildren()
        try await trial.waitUntilRunning()
        for pid in children.values { #expect(kill(pid, SIGSTOP) == 0) }
        let names = ["server", "publishers-0", "viewers-0", "probes-0"].map { "\($0) was stopped" }
        try await trial.waitForInterimNotes(names)
        for pid in children.values { #expect(kill(pid, SIGCONT) == 0) }
        #expect(try await trial.finish() == 97, "\(trial.text)")
        #expect(try trial.summary().outcome == .void)
        let reasons = try trial.manifest().validity.reasons
        for name in names {
            #expect(
                reasons.contains { $0.hasPrefix(name) && $0.contains("in the steady window") },
                "\(reasons)")
        }
        try trial.expectTidy()
        try await trial.expectGone(Array(children.values))
    }

    /// A process that stays stopped is continued at the end of the run, because its report is
    /// needed.
    @Test func oneThatStaysHeldIsLetGo() async throws {
        let trial = try TrialProcess()
        defer { trial.remove() }
        let children = try await trial.waitForChildren()
        try await trial.waitUntilRunning(warmup: .zero)
        #expect(kill(try #require(children["viewers"]), SIGSTOP) == 0)
        #expect(try await trial.finish() == 97, "\(trial.text)")
        let reasons = try trial.manifest().validity.reasons
        #expect(
            reasons.contains {
                $0.hasPrefix("viewers-0 was stopped") && $0.contains("to the end of the run")
            }, "\(reasons)")
        #expect(!reasons.contains { $0.contains("its report is lost") }, "\(reasons)")
    }

    /// If the runner or the capture is stopped, the verdict stands and notes report it: the
    /// children continue without the runner, and the kernel keeps the packets for the capture.
    @Test func heldOnlookersAreTold() async throws {
        let isCaptured = geteuid() == 0
        let trial = try TrialProcess(capture: isCaptured ? "true" : "false", duration: "6s")
        defer { trial.remove() }
        let children = try await trial.waitForChildren(isCaptured ? 5 : 4)
        try await trial.waitUntilRunning()
        if let capture = children["capture"] {
            #expect(kill(capture, SIGSTOP) == 0)
            try await trial.waitForInterimNotes(["capture was stopped"])
            #expect(kill(capture, SIGCONT) == 0)
        }
        #expect(trial.interrupt(SIGSTOP))
        try await Task.sleep(nanoseconds: UInt64(StopWatch.leastRunnerNanoseconds) * 4 / 3)
        #expect(trial.interrupt(SIGCONT))
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let notes = try trial.summary().notes
        #expect(notes.contains { $0.hasPrefix("the runner was held up from") }, "\(notes)")
        #expect(notes.contains { $0.hasPrefix("capture was stopped") } == isCaptured, "\(notes)")
        try trial.expectTidy()
    }
}
