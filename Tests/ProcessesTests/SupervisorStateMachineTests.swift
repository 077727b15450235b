import Processes
import Testing

@Suite struct SupervisorStateMachineTests {
    private static func policy(limit: Int) -> RestartPolicy {
        var policy = RestartPolicy()
        policy.limit = limit
        return policy
    }

    @Test func aProgramIsStartedAgainAndGivenUp() {
        var machine = SupervisorStateMachine(policy: Self.policy(limit: 2))
        #expect(machine.state == .starting && machine.lastFailure == nil)
        machine.launched(atMilliseconds: 0)
        #expect(machine.state == .starting)
        machine.becameReady()
        #expect(machine.state == .running && machine.restarts == 0)
        var next = machine.ended("a", atMilliseconds: 30)
        #expect(next == .restart(afterMilliseconds: 250))
        #expect(machine.state == .backingOff && machine.lastFailure == "a")
        // What is not there cannot work.
        machine.becameReady()
        #expect(machine.state == .backingOff)
        machine.launched(atMilliseconds: 280)
        #expect(machine.state == .starting && machine.restarts == 1)
        next = machine.ended("b", atMilliseconds: 290, jitter: 1)
        #expect(next == .restart(afterMilliseconds: 250))
        next = machine.ended("c", atMilliseconds: 800)
        #expect(next == .giveUp)
        #expect(machine.state == .failed && machine.lastFailure == "c")
        #expect(machine.restarts == 1 && machine.attempts == 2)
    }

    /// A long run begins a new row of failures; a start that failed is no run.
    @Test func aLongRunBeginsANewRow() {
        var machine = SupervisorStateMachine(policy: Self.policy(limit: 1))
        for run in 0..<5 {
            machine.launched(atMilliseconds: run * 20_000)
            let next = machine.ended("x", atMilliseconds: run * 20_000 + 10_000)
            #expect(next == .restart(afterMilliseconds: 250))
        }
        let next = machine.ended("not started", atMilliseconds: 1_000_000)
        #expect(next == .giveUp)
    }

    @Test func attemptsAreLimitedInTheWholeLife() {
        var machine = SupervisorStateMachine(policy: Self.policy(limit: 10), attemptLimit: 2)
        for run in 0..<3 {
            machine.launched(atMilliseconds: run * 100_000)
            let next = machine.ended("x", atMilliseconds: run * 100_000 + 50_000)
            #expect(next == (run < 2 ? .restart(afterMilliseconds: 250) : .giveUp))
        }
        var never = SupervisorStateMachine(attemptLimit: 0)
        never.launched(atMilliseconds: 0)
        let next = never.ended("x", atMilliseconds: 60_000)
        #expect(next == .giveUp && never.attempts == 0)
    }

    @Test func whatARestartCannotMendIsGivenUp() {
        var machine = SupervisorStateMachine()
        let next = machine.ended("no ffmpeg", isPermanent: true, atMilliseconds: 0)
        #expect(next == .giveUp && machine.state == .failed && machine.attempts == 0)
    }
}
