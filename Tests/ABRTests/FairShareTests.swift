import Netem
import SimulationKernel
import Testing

@testable import ABR

/// The fluid model of shared links against closed forms. Rates in kbit/s = bits per ms.
@Suite struct FairShareTests {
    private static func link(_ kilobits: Int) -> RateSchedule {
        RateSchedule(constant: Bitrate(kilobitsPerSecond: kilobits))
    }

    /// Ends of all flows, by viewer.
    private static func ends(
        _ network: inout FairShareNetwork, starts: [(time: Double, viewer: Int, bits: Double)],
        weights: [Double], audiences: [Int]
    ) -> [Double] {
        var ends = weights.map { _ in Double.nan }
        var starts = starts[...]
        for _ in 0..<1000 {
            let next = min(network.nextEvent(), starts.first?.time ?? .infinity)
            guard next < .infinity else { break }
            while let viewer = network.advance(to: next) { ends[viewer] = next }
            while let start = starts.first, start.time <= next {
                network.start(
                    start.viewer, audience: audiences[start.viewer], bits: start.bits,
                    weight: weights[start.viewer])
                starts.removeFirst()
            }
        }
        return ends
    }

    /// Two flows of s1 < s2 bits on capacity C: the first ends at 2 s1 / C, the second at
    /// (s1 + s2) / C.
    @Test(arguments: [(1_000_000.0, 3_000_000.0, 2000), (5.0, 7.0, 1), (1e9, 1.5e9, 333)])
    func twoFlows(first: Double, second: Double, capacity: Int) {
        var network = FairShareNetwork(
            origin: nil, audiences: [.shared(Self.link(capacity))], viewers: 2)
        let ends = Self.ends(
            &network, starts: [(0, 0, first), (0, 1, second)], weights: [1, 1], audiences: [0, 0])
        let rate = Double(capacity)
        #expect(abs(ends[0] - 2 * first / rate) < 1e-9 * ends[0])
        #expect(abs(ends[1] - (first + second) / rate) < 1e-9 * ends[1])
        #expect(abs(network.served(0) - first - second) < 1e-9 * (first + second))
    }

    /// Three flows of 1, 2 and 3 Mbit, the third from 500 ms on, at 1 Mbit/s. By hand: until 500
    /// each of two has 250 kbit; then three share, 333.3 kbit/s each. The first needs 750 kbit more:
    /// until 2750. The second then has 250 + 750 = 1000 of 2000 and 500 kbit/s: until 4750. The
    /// third has 750 + 1000 = 1750 of 3000: until 6000, which is all bits over the capacity.
    @Test func threeFlows() {
        var network = FairShareNetwork(
            origin: nil, audiences: [.shared(Self.link(1000))], viewers: 3)
        let ends = Self.ends(
            &network, starts: [(0, 0, 1e6), (0, 1, 2e6), (500, 2, 3e6)], weights: [1, 1, 1],
            audiences: [0, 0, 0])
        for (end, expected) in zip(ends, [2750.0, 4750, 6000]) {
            #expect(abs(end - expected) < 1e-6)
        }
    }

    /// Weights 1 and 3 at 4 Mbit/s: 1 and 3 Mbit/s. The heavy one ends its 3 Mbit after 1 s; the
    /// light one then has 3 Mbit left at 4 Mbit/s.
    @Test func weightedFlows() {
        var network = FairShareNetwork(
            origin: nil, audiences: [.shared(Self.link(4000))], viewers: 2)
        let ends = Self.ends(
            &network, starts: [(0, 0, 4e6), (0, 1, 3e6)], weights: [1, 3], audiences: [0, 0])
        #expect(abs(ends[1] - 1000) < 1e-6)
        #expect(abs(ends[0] - 1750) < 1e-6)
    }

    /// An origin of 6 Mbit/s over links of 1 Mbit/s (one flow) and 10 Mbit/s (two flows): max-min
    /// gives 1, 2.5 and 2.5.
    @Test func originAboveAccess() {
        var network = FairShareNetwork(
            origin: Self.link(6000),
            audiences: [.shared(Self.link(1000)), .shared(Self.link(10_000))], viewers: 3)
        let ends = Self.ends(
            &network, starts: [(0, 0, 1e6), (0, 1, 2.5e6), (0, 2, 2.5e6)], weights: [1, 1, 1],
            audiences: [0, 1, 1])
        for end in ends { #expect(abs(end - 1000) < 1e-6) }
    }

    /// A link that is off for a second moves nothing in it.
    @Test func outage() throws {
        let link = try RateSchedule(periods: [
            .init(durationNanoseconds: 1_000_000_000, bitsPerSecond: 1_000_000),
            .init(durationNanoseconds: 1_000_000_000, bitsPerSecond: 0),
        ])
        var network = FairShareNetwork(origin: nil, audiences: [.shared(link)], viewers: 2)
        let ends = Self.ends(
            &network, starts: [(0, 0, 5e5), (0, 1, 1e6)], weights: [1, 1], audiences: [0, 0])
        #expect(abs(ends[0] - 1000) < 1e-6)
        #expect(abs(ends[1] - 2500) < 1e-6)
    }

    /// Whatever comes and goes, the bits served are those of the flows.
    @Test(arguments: 0..<20) func conservation(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed, entity: "conservation")
        let audiences = 1 + Int(random.nextUnit() * 3)
        let viewers = 12
        let links = try (0..<audiences).map { _ in
            try RateSchedule(
                periods: (0..<5).map { index in
                    RateSchedule.Period(
                        durationNanoseconds: Int64(1 + random.nextUnit() * 2e9),
                        bitsPerSecond: index == 0 ? 1_000_000 : Int64(random.nextUnit() * 5e6))
                })
        }
        var network = FairShareNetwork(
            origin: Self.link(3000), audiences: links.map { .shared($0) }, viewers: viewers)
        let of = (0..<viewers).map { _ in Int(random.nextUnit() * Double(audiences)) }
        let starts = (0..<viewers).map { viewer in
            (
                time: random.nextUnit() * 5000, viewer: viewer,
                bits: 1000 + random.nextUnit() * 4e6
            )
        }.sorted { $0.time < $1.time }
        let weights = (0..<viewers).map { _ in 0.5 + random.nextUnit() }
        let ends = Self.ends(&network, starts: starts, weights: weights, audiences: of)
        for start in starts {
            #expect(ends[start.viewer] > start.time)
        }
        for audience in 0..<audiences {
            let bits = starts.filter { of[$0.viewer] == audience }.reduce(0) { $0 + $1.bits }
            #expect(abs(network.served(audience) - bits) <= 1e-6 * max(bits, 1))
        }
        // Not before the origin could have carried it.
        let total = starts.reduce(0) { $0 + $1.bits }
        #expect((ends.max() ?? 0) >= (starts.first?.time ?? 0) + total / 3000 - 1e-6)
    }
}
