import Foundation
import Netem
import SimulationKernel
import Testing

/// Links in words, by hand.
@Suite struct LinkDescriptionTests {
    @Test func uplinkIsAsDownlinkUnlessNamed() throws {
        var link = LinkDescription()
        (link.down, link.queue, link.delay, link.loss) = ("2Mbps", "droptail:64KB", "20ms", "1%")
        let down = try link.spec(.down)
        #expect(down == (try link.spec(.up)))
        #expect(down.rate == .constant(Bitrate(kilobitsPerSecond: 2000)))
        #expect(down.queue == .dropTail(.bytes(64000)))
        #expect(down.loss == .bernoulli(0.01))
        #expect(down.overhead == .l3)
        (link.up, link.upQueue, link.upDelay, link.upLoss) = ("1Mbps", "codel", "5ms", "none")
        let up = try link.spec(.up)
        #expect(up.rate == .constant(Bitrate(kilobitsPerSecond: 1000)))
        #expect(up.queue == .coDel() && up.loss == .none)
        #expect(up.delay.nanoseconds == 5_000_000)
        #expect(down == (try link.spec(.down)))
    }

    /// A delay adds to a profile's latency, or stands for it.
    @Test func latency() throws {
        var link = LinkDescription()
        link.profile = "lte"
        func latencies(_ spec: LinkSpec) throws -> Set<Int64> {
            guard case .schedule(let schedule) = spec.rate else { return [] }
            return Set(schedule.periods.map { $0.delayNanoseconds })
        }
        let plain = try link.spec(.down, seed: 3)
        #expect(try latencies(plain).allSatisfy { $0 > 0 })
        link.delay = "7ms"
        let more = try link.spec(.down, seed: 3)
        #expect(try latencies(more) == latencies(plain))
        #expect(more.delay.nanoseconds == plain.delay.nanoseconds + 7_000_000)
        link.latency = .replaced
        let other = try link.spec(.down, seed: 3)
        #expect(try latencies(other) == [0])
        #expect(other.delay == (try DelayModel(parsing: "7ms")))
        #expect(other.queue == plain.queue && other.loss == plain.loss && other.overhead == .l2)
    }

    /// Opportunities at 2, 5, 5 and 10 ms, seen from 5 ms on: 10 (in 5), then 12, 15, 15.
    @Test func tracesBeginElsewhere() throws {
        let trace = try DeliveryTrace(milliseconds: [2, 5, 5, 10])
        let spec = LinkSpec(rate: .trace(trace))
        let cases: [(Int64, [Int64])] = [
            (0, [2, 5, 5, 10]), (5, [5, 7, 10, 10]), (1, [2, 5, 5, 10]), (9, [5, 7, 10, 10]),
            (10, [2, 5, 5, 10]),
            (32, [3, 3, 8, 10]),
        ]
        for (place, expected) in cases {
            guard case .trace(let moved, 0) = try spec.beginning(at: place * 1_000_000).rate else {
                Issue.record("no trace")
                continue
            }
            #expect(moved.milliseconds == expected, "\(place)")
            #expect(moved.averageBitsPerSecond == trace.averageBitsPerSecond)
        }
        let schedule = try RateSchedule(periods: [
            .init(durationNanoseconds: 10, bitsPerSecond: 1),
            .init(durationNanoseconds: 10, bitsPerSecond: 2),
        ])
        guard
            case .schedule(let moved) =
                try LinkSpec(rate: .schedule(schedule)).beginning(at: 25).rate
        else {
            Issue.record("no schedule")
            return
        }
        #expect(moved.startOffsetNanoseconds == 5)
    }

    @Test func faults() throws {
        var link = LinkDescription()
        #expect(throws: LinkError.self) { try link.spec(.down) }
        link.profile = "ltee"
        #expect(throws: LinkError.self) { try link.spec(.down) }
        link.profile = "lte"
        link.reorder = 1.5
        #expect(throws: LinkError.self) { try link.spec(.down) }
        #expect(throws: LinkError.self) { try LinkDescription.share("200%") }
        #expect(try LinkDescription.share("5%") == 0.05)
    }
}
