import Netem
import SimulationKernel
import Testing

@testable import Viewer

@Suite struct ViewerLinkTests {
    /// The link as flows see it, against the formula that fidelity runs had of their own.
    @Test(arguments: 0..<40 as Range<UInt64>) func payloadSchedule(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let rate = try RateSchedule(
            periods: (0..<Int.random(in: 1...5, using: &random)).map { _ in
                .init(
                    durationNanoseconds: Int64.random(in: 1...5_000_000_000, using: &random),
                    bitsPerSecond: Int64.random(in: 1000...100_000_000, using: &random),
                    delayNanoseconds: Int64.random(in: 0...50_000_000, using: &random), loss: 0.5)
            }, startOffsetNanoseconds: Int64.random(in: 0...5_000_000_000, using: &random),
            wraps: Bool.random(using: &random))
        let link = ViewerLink(
            rate: rate,
            delay: DelayModel(nanoseconds: Int64.random(in: 0...90_000_000, using: &random)),
            headerBytes: Bool.random(using: &random) ? 52 : 0)
        let place = Int64.random(in: 0...9_000_000_000, using: &random)

        let share = 1448.0 / Double(1448 + link.headerBytes)
        let cycle = rate.periods.reduce(0) { $0 + $1.durationNanoseconds }
        let offset =
            rate.startOffsetNanoseconds + place - link.delay.nanoseconds
            - rate.periods[0].delayNanoseconds
        let expected = try RateSchedule(
            periods: rate.periods.map { period in
                var period = period
                period.bitsPerSecond = Int64((Double(period.bitsPerSecond) * share).rounded())
                period.delayNanoseconds += link.delay.nanoseconds
                period.loss = 0
                return period
            },
            startOffsetNanoseconds: rate.wraps
                ? ((offset % cycle) + cycle) % cycle : max(0, offset),
            wraps: rate.wraps)
        #expect(try link.payloadSchedule(offsetNanoseconds: place) == expected)
    }
}
