import Media
import SimulationKernel
import Testing

@testable import Publisher

@Suite struct PublishPlanTests {
    @Test func `numbers stand in the address, and phases differ`() {
        let plan = PublishPlan(
            url: "rtmp://host/live/s{i}?key=a?b", count: 3, sources: [.init(.file(path: "a.flv"))])
        #expect(
            plan.specs.map(\.url) == [
                "rtmp://host/live/s0?key=a?b", "rtmp://host/live/s1?key=a?b",
                "rtmp://host/live/s2?key=a?b",
            ])
        #expect(plan.specs.map(\.streamID) == [0, 1, 2])
        #expect(Set(plan.specs.map(\.phaseNanoseconds)).count == 3)
    }

    @Test func `renditions end the stream's name, not its query`() {
        let plan = PublishPlan(
            url: "rtmp://host/live/s{i}?key=x", count: 2,
            sources: PublishPlan.edgeLadder(startTimestamp: 90))
        let specs = plan.specs
        #expect(specs.count == 8)
        #expect(specs[0].url == "rtmp://host/live/s0_720p?key=x")
        #expect(specs[7].url == "rtmp://host/live/s1_240p?key=x")
        #expect(specs.map(\.streamID) == [0, 1, 2, 3, 4, 5, 6, 7])
        for spec in specs {
            guard case .synthetic(let synthetic) = spec.source else {
                Issue.record("\(spec.url) is not synthetic")
                continue
            }
            #expect(synthetic.startTimestamp == 90)
        }
    }
}
