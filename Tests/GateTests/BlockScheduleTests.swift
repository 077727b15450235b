import Testing

@testable import Gate

@Suite struct BlockScheduleTests {
    @Test(arguments: [8, 9, 10, 13, 40, 64])
    func isBalancedAndReproducible(blocks: Int) throws {
        for seed in 1...20 {
            let schedule = try BlockSchedule(blocks: blocks, seed: UInt64(seed))
            let baseFirst = schedule.orders.count(where: { $0 == .baseFirst })
            #expect(schedule.orders.count == blocks)
            #expect(abs(2 * baseFirst - blocks) <= 1)
            #expect(try BlockSchedule(blocks: blocks, seed: UInt64(seed)) == schedule)
        }
    }

    /// Every block starts with the base in about half of the schedules. A schedule that alternates,
    /// or always starts with the base, fails here.
    @Test func isRandom() throws {
        var schedules: Set<[BlockSchedule.Order]> = []
        var baseFirst = [Int](repeating: 0, count: 10)
        for seed in 1...200 {
            let schedule = try BlockSchedule(blocks: 10, seed: UInt64(seed))
            schedules.insert(schedule.orders)
            for index in 0..<10 where schedule.orders[index] == .baseFirst {
                baseFirst[index] += 1
            }
        }
        // There are 252 balanced orders of ten blocks.
        #expect(schedules.count > 100)
        #expect(baseFirst.allSatisfy { (60...140).contains($0) })
    }

    @Test func runsAfterAWarmUp() throws {
        let schedule = try BlockSchedule(blocks: 8, seed: 1)
        let runs = schedule.runs
        #expect(runs.count == 18)
        #expect(runs.map(\.block) == (0...8).flatMap { [$0, $0] })
        for block in 0...8 {
            let sides = Set(schedule.runs(ofBlock: block).map(\.side))
            #expect(sides == [.base, .head])
        }
        #expect(schedule.runs(ofBlock: 9).isEmpty && schedule.runs(ofBlock: -1).isEmpty)
    }

    @Test(arguments: [Int.min, 0, 7, 65, Int.max])
    func numbersOfBlocksThatNoGateHas(blocks: Int) {
        #expect(throws: GateFault.self) { try BlockSchedule(blocks: blocks, seed: 1) }
    }
}

@Suite struct GateProgressTests {
    /// Runs a gate; the trials of the given numbers, counted from 0, are void.
    static func run(
        _ schedule: BlockSchedule, void: Set<Int>,
        figure: (BlockSchedule.Run, _ isVoid: Bool) -> Double = { _, _ in 1 }
    ) throws -> GateProgress {
        var progress = GateProgress(schedule)
        while case .run(let run) = progress.next() {
            let isVoid = void.contains(progress.trials.count)
            try progress.record(
                GateTrial(
                    block: run.block, side: run.side, figures: ["cpu": figure(run, isVoid)],
                    voidReason: isVoid ? "the generator lagged" : nil))
        }
        return progress
    }

    @Test func voidTrialsAreReplaced() throws {
        let schedule = try BlockSchedule(blocks: 8, seed: 1)
        let whole = try Self.run(schedule, void: [])
        #expect(whole.blocks.map(\.block) == Array(1...8) && whole.trials.count == 18)
        #expect(whole.next() == .complete && whole.voidTrials == 0)
        #expect(whole.blocks.compactMap(\.order) == schedule.orders)
        // Trials 0 and 1 are the warm-up. Trial 2 is the first of block 1. Trial 3 is the second,
        // so that a void trial 3 takes the valid trial 2 with it.
        let first = try Self.run(schedule, void: [0, 2])
        #expect(first.voidTrials == 1 && first.discardedTrials == 0)
        #expect(first.trials.count == 19 && first.blocks.count == 8)
        let second = try Self.run(schedule, void: [3])
        #expect(second.voidTrials == 1 && second.discardedTrials == 1)
        #expect(second.trials.count == 20 && second.blocks.count == 8)
        let again = Array(second.trials[2...5].map(\.side))
        #expect(again == schedule.orders[0].sides + schedule.orders[0].sides)
    }

    /// Up to 2n void trials are replaced; one more ends the gate without a verdict.
    @Test func voidTrialsAreBounded() throws {
        let schedule = try BlockSchedule(blocks: 8, seed: 1)
        let settings = SimulatedGate.settings(seed: 1)
        let most = try Self.run(schedule, void: Set(2..<18))
        #expect(most.voidTrials == 16 && most.next() == .complete && most.blocks.count == 8)
        let tooMany = try Self.run(schedule, void: Set(2..<1000))
        #expect(tooMany.voidTrials == 17 && tooMany.next() == .tooManyVoid)
        let verdict = try GateVerdict(settings, tooMany)
        #expect(verdict.outcome == .inconclusive && verdict.voidTrials == 17)
        #expect(verdict.reason.contains("void"))
        // Even complete blocks are no verdict then.
        let late = try GateVerdict(settings, blocks: most.blocks, voidTrials: 17)
        #expect(late.outcome == .inconclusive && late.metrics[0].outcome == .inconclusive)
    }

    /// A mutation that counts void trials changes this verdict.
    @Test func figuresOfVoidTrialsDoNotCount() throws {
        let settings = SimulatedGate.settings(seed: 4)
        let schedule = try BlockSchedule(blocks: 8, seed: 4)
        func figure(_ run: BlockSchedule.Run, isVoid: Bool) -> Double {
            let usual = 1 + 0.001 * Double(run.block % 3)
            return isVoid && run.side == .head ? usual * 100 : usual
        }
        let clean = try GateVerdict(
            settings, try Self.run(schedule, void: [], figure: figure))
        let progress = try Self.run(
            schedule, void: [2, 5, 6, 9, 10, 13, 16, 17], figure: figure)
        #expect(progress.voidTrials == 8)
        let verdict = try GateVerdict(settings, progress)
        #expect(clean.outcome == .pass && verdict.outcome == .pass)
        #expect(verdict.metrics == clean.metrics)
        #expect(verdict.validBlocks == 8 && verdict.voidTrials == 8)
    }

    @Test func trialsOutOfTurnAreFaults() throws {
        let schedule = try BlockSchedule(blocks: 8, seed: 1)
        var progress = GateProgress(schedule)
        let side = schedule.warmUp.sides[0]
        let other: GateSide = side == .base ? .head : .base
        #expect(throws: GateFault.self) {
            try progress.record(GateTrial(block: 0, side: other, figures: [:]))
        }
        #expect(throws: GateFault.self) {
            try progress.record(GateTrial(block: 1, side: side, figures: [:]))
        }
        #expect(progress.trials.isEmpty)
        var whole = try Self.run(schedule, void: [])
        #expect(throws: GateFault.self) {
            try whole.record(GateTrial(block: 9, side: .base, figures: [:]))
        }
    }
}
