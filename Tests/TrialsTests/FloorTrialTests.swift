import Floor
import Media
import Results
import TestSupport
import Testing

@testable import Scenario
@testable import Trials

/// A trial with the floor sender in the place of a server.
@Suite(.timeLimit(.minutes(2)))
struct FloorTrialTests {
    /// The record of such a trial is as any other: frames of the publishers are due, none is
    /// missing, and the floor sender is accounted as the server.
    @Test(.enabled(if: Programs.millrace != nil, "millrace is not built"))
    func noFrameIsMissing() async throws {
        let viewers = """
              - {protocol: rtmp, count: 6, probes: 2}

            """
        let scenario = TrialProcess.scenario.replacing(
            "driver: embedded", with: "driver: floor\n  flush_interval: 100ms")
        let trial = try TrialProcess(viewers: viewers, scenario: scenario)
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let summary = try trial.summary()
        #expect(summary.outcome == .passed)
        #expect(summary.viewersJoined == 6)
        #expect(summary.framesMissing == 0)
        #expect(summary.roles.contains { $0.role == "server" })
        #expect(summary.notes.contains { $0.contains("relays nothing") }, "\(summary.notes)")
        try trial.expectTidy()
    }

    /// The floor sender has the publishers' streams, numbers and phases.
    @Test func streamsOfThePlan() throws {
        let plan = Plan(try TrialScenario.load(path: GoodScenarios.path("floor.yml")))
        let streams = plan.floorStreams
        #expect(streams.map(\.name) == ["live1_load", "live2_load"])
        #expect(streams.map(\.streamID) == [1, 2])
        #expect(streams[0].source == streams[1].source)
        #expect(streams[0].phaseNanoseconds != streams[1].phaseNanoseconds)
        #expect(streams[0].source.gopFrames == 50)
    }
}
