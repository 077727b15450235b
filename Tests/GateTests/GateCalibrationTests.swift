import Foundation
import SimulationKernel
import Testing

@testable import Gate

/// False failures and power of simulated gates. All are seeded, and the bounds are so wide that a
/// correct test keeps to them with nearly any seed.
@Suite struct GateCalibrationTests {
    private static let gates = 200

    /// Base and head are alike. At δ = 0 the test of eight blocks rejects with p ≤ 12/256, which is
    /// 4.7 %: of 200 gates 9.4 are expected, with a standard deviation of 3. At δ = 5 % nearly none
    /// may fail.
    @Test(arguments: GateNoise.allCases)
    func falseFailures(noise: GateNoise) throws {
        var (atZero, atFivePercent) = (0, 0)
        for gate in 1...Self.gates {
            let seed = UInt64(gate)
            var random = SeededGenerator(seed: seed, entity: "false failures \(noise)")
            let schedule = try BlockSchedule(blocks: 8, seed: seed)
            let blocks = SimulatedGate.blocks(noise, schedule.orders, &random)
            let strict = SimulatedGate.settings(allowedChange: 0, seed: seed)
            let usual = SimulatedGate.settings(seed: seed)
            if try GateVerdict(strict, blocks: blocks).outcome == .fail { atZero += 1 }
            if try GateVerdict(usual, blocks: blocks).outcome == .fail { atFivePercent += 1 }
        }
        #expect(atZero <= 24)
        if noise == .normal || noise == .student { #expect(atZero >= 1) }
        #expect(atFivePercent <= 2)
    }

    /// If the base always ran first, an effect of the order would look like a change of the head:
    /// this is what the random order is for. `falseFailures` has the same noise in random order.
    @Test func fixedOrderFailsFalsely() throws {
        var failures = 0
        for gate in 1...50 {
            var random = SeededGenerator(seed: UInt64(gate), entity: "fixed order")
            let orders = [BlockSchedule.Order](repeating: .baseFirst, count: 8)
            var blocks = SimulatedGate.blocks(.order, orders, &random)
            for index in blocks.indices { blocks[index].order = nil }
            let settings = SimulatedGate.settings(allowedChange: 0, seed: UInt64(gate))
            if try GateVerdict(settings, blocks: blocks).outcome == .fail { failures += 1 }
        }
        #expect(failures >= 30)
    }

    /// A head that is worse by 20 % fails nearly always, and one that is worse by 2 % nearly never.
    @Test func realChanges() throws {
        var (large, small) = (0, 0)
        for gate in 1...50 {
            let seed = UInt64(gate)
            var random = SeededGenerator(seed: seed, entity: "real changes")
            let orders = try BlockSchedule(blocks: 8, seed: seed).orders
            let settings = SimulatedGate.settings(seed: seed)
            let worse = SimulatedGate.blocks(.normal, orders, worsening: log(1.2), &random)
            let slightly = SimulatedGate.blocks(.normal, orders, worsening: log(1.02), &random)
            if try GateVerdict(settings, blocks: worse).outcome == .fail { large += 1 }
            if try GateVerdict(settings, blocks: slightly).outcome == .fail { small += 1 }
        }
        #expect(large >= 47)
        #expect(small <= 4)
    }
}

@Suite struct PowerPlanTests {
    private static var options: PowerPlan.Options {
        var options = PowerPlan.Options(seed: 3)
        options.simulations = 100
        options.flips = 499
        return options
    }

    /// A pilot of 40 blocks whose values have a standard deviation of 0.0424 times `spread`.
    private static func pilot(spread: Double = 1, seed: UInt64 = 1) -> [GateBlock] {
        var random = SeededGenerator(seed: seed, entity: "pilot")
        return (1...40).map { block in
            let (base, head) = (
                SimulatedGate.normal(&random), SimulatedGate.normal(&random)
            )
            return GateBlock(
                block: block, order: nil, base: ["cpu": exp(0.03 * spread * base)],
                head: ["cpu": exp(0.03 * spread * head)])
        }
    }

    /// With the spread s and the excess e = ln(1.1/1.05) of twice the allowed change, the normal
    /// approximation needs ((1.645 + 0.842) s / e)² blocks; the test needs a few more.
    @Test func plannedBlocksHaveThePower() throws {
        let settings = SimulatedGate.settings(blocks: 10, seed: 1)
        let plan = try PowerPlan(settings, pilot: Self.pilot(spread: 1.6), options: Self.options)
        let metric = plan.metrics[0]
        let spread = try #require(metric.spread)
        #expect(abs(spread - 0.0679) < 0.024)
        let blocks = try #require(plan.blocks)
        let excess = log(1.1 / 1.05)
        let root = (1.645 + 0.842) * spread / excess
        #expect(Double(blocks) > 0.7 * root * root && Double(blocks) < 1.6 * root * root + 3)
        var random = SeededGenerator(seed: 1, entity: "power")
        var (double, half) = (0, 0)
        for _ in 0..<100 {
            let noise = (0..<blocks).map { _ in spread * SimulatedGate.normal(&random) }
            let test = try PairedTest(noise, exactCount: 10, flips: 499, seed: random.next())
            if test.pAbove(-excess) <= 0.05 { double += 1 }
            if test.pAbove(log(1.05 / 1.025)) <= 0.05 { half += 1 }
        }
        #expect(double >= 60)
        #expect(half <= 6)
    }

    /// The detectable change has just the wanted power on the curve, and shrinks with the blocks.
    @Test func detectableChange() throws {
        let pilot = Self.pilot()
        let few = SimulatedGate.settings(blocks: 8, seed: 1)
        let many = SimulatedGate.settings(blocks: 30, seed: 1)
        let plan = try PowerPlan(few, pilot: pilot, options: Self.options)
        let change = try #require(plan.metrics[0].detectableChange)
        let other = try PowerPlan(many, pilot: pilot, options: Self.options)
        let smaller = try #require(other.metrics[0].detectableChange)
        #expect(change > smaller && smaller > 0.05)
        #expect(plan.metrics[0].blocks == other.metrics[0].blocks)
        let curve = try PowerPlan.curve(
            few.metrics[0], changes: [0, 0.05, change * 0.9, change * 1.001, 1], settings: few,
            pilot: pilot, options: Self.options)
        #expect(curve == curve.sorted() && curve[0] <= 0.02 && curve[1] <= 0.15)
        #expect(curve[2] < 0.8 && curve[3] >= 0.8 && curve[4] == 1)
        #expect(try PowerPlan(few, pilot: pilot, options: Self.options) == plan)
    }

    @Test func figuresThatThePilotDoesNotGive() throws {
        let settings = SimulatedGate.settings(seed: 1)
        let wide = try PowerPlan(settings, pilot: Self.pilot(spread: 10), options: Self.options)
        #expect(wide.blocks == nil && wide.metrics[0].reason?.contains("40 blocks") == true)
        #expect((wide.metrics[0].detectableChange ?? 0) > 0.1)
        var pilot = Self.pilot()
        pilot[4].base["cpu"] = 0
        let broken = try PowerPlan(settings, pilot: pilot, options: Self.options)
        #expect(broken.blocks == nil && broken.metrics[0].spread == nil)
        #expect(broken.metrics[0].reason?.contains("block 5") == true)
        let strict = SimulatedGate.settings(allowedChange: 0, seed: 1)
        let zero = try PowerPlan(strict, pilot: Self.pilot(), options: Self.options)
        #expect(zero.blocks == nil && zero.metrics[0].detectableChange != nil)
        #expect(throws: GateFault.self) {
            try PowerPlan(settings, pilot: Array(pilot.prefix(7)), options: Self.options)
        }
        // A pilot without any noise needs the fewest blocks.
        let still = try PowerPlan(settings, pilot: Self.pilot(spread: 0), options: Self.options)
        #expect(still.blocks == 8)
        let text = String(decoding: try JSONEncoder().encode(still), as: UTF8.self)
        #expect(text.contains("\"detectable_change\"") && text.contains("\"given_blocks\""))
    }

    @Test func ranksOfUnsortedValues() {
        let values = [5.0, 1, 4, 1, 3]
        let ranked = (1...5).map { PilotValues.smallest($0, of: values) }
        #expect(ranked == [1.0, 1, 3, 4, 5])
    }
}
