import Netem
import SimulationKernel
import Testing

@Suite struct LossTests {
    struct Measured {
        var rate: Double
        /// Mean length of the runs of losses, packets.
        var burst: Double
    }

    static func measure(_ model: LossModel, packets: Int, seed: UInt64) throws -> Measured {
        var process = try LossProcess(model, random: SeededGenerator(seed: seed))
        var losses = 0
        var bursts = 0
        var last = false
        for _ in 0..<packets {
            let lost = process.loses()
            if lost {
                losses += 1
                if !last { bursts += 1 }
            }
            last = lost
        }
        return Measured(
            rate: Double(losses) / Double(packets), burst: Double(losses) / Double(max(1, bursts)))
    }

    @Test(arguments: [UInt64(1), 2, 3]) func bernoulli(seed: UInt64) throws {
        let measured = try Self.measure(.bernoulli(0.01), packets: 1_000_000, seed: seed)
        #expect(abs(measured.rate - 0.01) < 0.0003, "seed \(seed)")
        #expect(abs(measured.burst - 1 / 0.99) < 0.01, "seed \(seed)")
        #expect(try Self.measure(.bernoulli(1), packets: 1000, seed: seed).rate == 1)
        #expect(try Self.measure(.bernoulli(0), packets: 1000, seed: seed).rate == 0)
        #expect(try Self.measure(.none, packets: 1000, seed: seed).rate == 0)
    }

    /// Loss rate p/(p+r), mean burst 1/r; the standard errors here are 0.6 and 0.3 per cent.
    @Test(arguments: [UInt64(1), 2, 3]) func gilbert(seed: UInt64) throws {
        let measured = try Self.measure(
            .gilbertElliott(p: 0.01, r: 0.1), packets: 5_000_000, seed: seed)
        #expect(abs(measured.rate / (0.01 / 0.11) - 1) < 0.025, "seed \(seed)")
        #expect(abs(measured.burst / 10 - 1) < 0.015, "seed \(seed)")
    }

    /// With both states lossy the rate is the mean over the states.
    @Test func elliott() throws {
        let measured = try Self.measure(
            .gilbertElliott(p: 0.05, r: 0.15, lossInBad: 0.4, lossInGood: 0.02),
            packets: 2_000_000, seed: 4)
        #expect(abs(measured.rate - (0.75 * 0.02 + 0.25 * 0.4)) < 0.002)
    }

    /// State probabilities by hand: with p13 = 0.02, p31 = 0.2, p32 = 0.1, p23 = 0.5, p14 = 0.01 the
    /// chain's balance gives π3 = 0.1 π1, π2 = 0.02 π1, π4 = 0.01 π1.
    @Test func fourStates() throws {
        let measured = try Self.measure(
            .fourState(p13: 0.02, p31: 0.2, p32: 0.1, p23: 0.5, p14: 0.01), packets: 3_000_000,
            seed: 5)
        #expect(abs(measured.rate / (0.11 / 1.13) - 1) < 0.02)
        let alone = try Self.measure(
            .fourState(p13: 0, p31: 1, p32: 0, p23: 1, p14: 0.1), packets: 1_000_000, seed: 6)
        #expect(alone.burst == 1, "state 4 always goes back to 1")
        #expect(abs(alone.rate / (0.1 / 1.1) - 1) < 0.02)
    }

    @Test func lists() throws {
        var replay = try LossProcess(
            .replay([true, false, false]), random: SeededGenerator(seed: 1))
        #expect(
            (0..<7).map { _ in replay.loses() } == [true, false, false, true, false, false, true])
        var run = try LossProcess(.afterLosses([1, 1, 0]), random: SeededGenerator(seed: 1))
        #expect((0..<6).map { _ in run.loses() } == [true, true, false, true, true, false])
    }
}
