import Results
import Scenario
import Testing

@testable import Analysis

@Suite struct ValidityTests {
    @Test func eachLimitVoids() throws {
        let limits = try TrialScenario.parse(
            "version: 1\nname: t\nstreams: [{name: live}]\nviewers: [{count: 1}]"
        ).validity
        let good = TrialEvidence(
            generatorLagP99Milliseconds: 1, captureDrops: 0, steal: 0, offered: 1,
            clockStepNanoseconds: 10_000)
        #expect(limits.judge(good).valid)
        var late = good
        late.viewerLagP99Milliseconds = 101
        #expect(limits.judge(late).reasons.count == 1)
        var slow = good
        slow.linkLatenessP99Milliseconds = 5
        #expect(limits.judge(slow).valid)
        slow.linkLatenessP99Milliseconds = 5.01
        #expect(limits.judge(slow).reasons.first?.contains("left their links late") == true)
        let bad = TrialEvidence(
            generatorLagP99Milliseconds: 21, captureDrops: 0.01, steal: 0.06, offered: 0.5,
            clockStepNanoseconds: 2_000_000)
        #expect(limits.judge(bad).reasons.count == 5)
        var few = good
        few.offered = 0.628146453089
        #expect(
            limits.judge(few).reasons
                == ["only 62.815% of the intended frames were sent, least 99%"])
        var silent = good
        silent.offered = nil
        silent.captureDrops = nil
        #expect(limits.judge(silent).reasons == ["the publishers sent nothing"])
    }

}
