import Results
import Testing

@testable import Analysis
@testable import Trials

@Suite struct ClockOffsetTests {
    @Test func clockOffsetIsSteady() {
        var sampler = ClockOffsetSampler()
        for _ in 0..<10 { sampler.sample() }
        #expect(sampler.offset.stepNanoseconds >= 0)
        #expect(sampler.offset.minimumNanoseconds > 1_500_000_000_000_000_000)
    }
}
