import Processes
import SimulationKernel
import Testing

@testable import Stacks
@testable import Trials

@Suite struct SupervisionLogTests {
    @Test func eventsAreBoundedAndTheOthersCounted() {
        var log = SupervisionLog<Int64>(limit: 2)
        let kept = (0..<5).map { log.add("ended", at: Int64($0)) }
        #expect(kept == [true, true, false, false, false])
        #expect(log.events.map(\.moment) == [0, 1] && log.uncounted == 3)
    }

    @Test func aSummaryNamesThoseThatDoNotRun() {
        var summary = SupervisionSummary(
            kind: "edges", programs: [("edge-0", "running"), ("edge-1", "running")], restarts: 3)
        #expect(!summary.isDegraded)
        #expect(summary.note == "edges: 2 running at the end, 3 restarts")
        summary.programs[1].state = "backing-off"
        #expect(summary.isDegraded)
        #expect(summary.note == "edges DEGRADED at the end: edge-1 backing-off")
    }

    @Test func momentsAreNamed() {
        let window = Window(startNanoseconds: 2_000_000_000, endNanoseconds: 4_000_000_000)
        func words(_ nanoseconds: Int64) -> String {
            "\(RunMoment(nanoseconds, start: 1_000_000_000, window: window))"
        }
        #expect(words(1_960_000_000) == "1.0 s")
        #expect(words(2_000_000_000) == "1.0 s, in the steady window")
        #expect(words(3_999_999_999) == "3.0 s, in the steady window")
        #expect(words(4_000_000_000) == "3.0 s")
    }

    @Test func aRestartOfTheServerIsNoted() {
        let window = Window(startNanoseconds: 0, endNanoseconds: 5_000_000_000)
        var restart = StackRestart(status: .signaled(9), endedNanoseconds: 3_000_000_000)
        let end = "the server ended at 2.0 s, in the steady window (was killed by signal 9); "
        #expect(restart.note(start: 1_000_000_000, window: window) == end + "not started again")
        restart.failure = "no port"
        #expect(
            restart.note(start: 1_000_000_000, window: window)
                == end + "not started again: no port")
        restart.backNanoseconds = 3_250_000_000
        #expect(
            restart.note(start: 1_000_000_000, window: window)
                == end + "started again at 2.3 s")
    }
}
