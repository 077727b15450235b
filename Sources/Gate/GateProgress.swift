/// What one run of a gate gave.
package struct GateTrial: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case block, side, figures
        case voidReason = "void_reason"
        case serverFault = "server_fault"
    }

    /// Number of the block from 1; 0 = the warm-up pair.
    package var block: Int
    package var side: GateSide
    /// Figures by the metrics' names. A figure that nothing measured is missing.
    package var figures: [String: Double]
    /// Reason why the trial is void; nil = it is valid. It never depends on the figures compared.
    package var voidReason: String?
    /// What the server under test did wrong, such as that it ended early; nil if it did nothing
    /// wrong. Such a trial has no figures to compare and is void, too.
    package var serverFault: String?

    package init(
        block: Int, side: GateSide, figures: [String: Double], voidReason: String? = nil,
        serverFault: String? = nil
    ) {
        self.block = block
        self.side = side
        self.figures = figures
        self.voidReason = voidReason
        self.serverFault = serverFault
    }
}

/// The figures of one block: of a run of the base and of a run of the head.
package struct GateBlock: Codable, Hashable, Sendable {
    /// Number of the block from 1.
    package var block: Int
    /// Order of the two runs; nil = it is not known, as with results that were made before.
    package var order: BlockSchedule.Order?
    /// Figures by the metrics' names.
    package var base: [String: Double]
    package var head: [String: Double]

    package init(
        block: Int, order: BlockSchedule.Order?, base: [String: Double], head: [String: Double]
    ) {
        self.block = block
        self.order = order
        self.base = base
        self.head = head
    }
}

/// The course of a gate: which run comes next, and which blocks are complete.
///
/// The course is a pure function of the trials that were recorded, so an interrupted gate goes on
/// if its trials are recorded again.
///
/// A void trial says nothing about the head and is replaced. The two runs of a block belong to one
/// time, so the whole block is run again in its order: a valid trial of the base is discarded if
/// the head's trial after it is void, and the reverse. Void trials of the warm-up do not count,
/// because its figures are discarded anyway. After more than 2n void trials the gate ends.
package struct GateProgress: Sendable {
    package enum Step: Hashable, Sendable {
        case run(BlockSchedule.Run)
        /// All blocks are complete.
        case complete
        /// There were more void trials than are replaced; the verdict is INCONCLUSIVE.
        case tooManyVoid
    }

    package let schedule: BlockSchedule
    /// All trials in the order in which they were recorded, with the void ones and the warm-up.
    package private(set) var trials: [GateTrial] = []
    /// Blocks of which both trials are valid.
    package private(set) var blocks: [GateBlock] = []
    /// Void trials, without those of the warm-up.
    package private(set) var voidTrials = 0
    /// Valid trials that were discarded because the other trial of their block was void.
    package private(set) var discardedTrials = 0
    private var warmUps = 0
    /// The valid trial that waits for the other one of its block.
    private var first: GateTrial?

    package init(_ schedule: BlockSchedule) { self.schedule = schedule }

    /// Largest number of void trials that a gate of `blocks` blocks replaces.
    package static func mostVoidTrials(blocks: Int) -> Int {
        2 * min(max(blocks, 0), BlockSchedule.mostBlocks)
    }

    package func next() -> Step {
        if voidTrials > Self.mostVoidTrials(blocks: schedule.orders.count) { return .tooManyVoid }
        if warmUps < 2 { return .run(schedule.runs(ofBlock: 0)[warmUps]) }
        let runs = schedule.runs(ofBlock: blocks.count + 1)
        guard runs.count == 2 else { return .complete }
        return .run(first == nil ? runs[0] : runs[1])
    }

    /// Adds the trial of the run that `next()` named.
    ///
    /// - Throws: `GateFault` if the trial is not of that run.
    package mutating func record(_ trial: GateTrial) throws(GateFault) {
        guard case .run(let run) = next() else {
            throw GateFault("the gate has ended, and a further trial changes nothing")
        }
        guard trial.block == run.block, trial.side == run.side else {
            throw GateFault(
                "the next run is the \(run.side.rawValue) of block \(run.block), not the "
                    + "\(trial.side.rawValue) of block \(trial.block): runs keep to the schedule")
        }
        trials.append(trial)
        if warmUps < 2 {
            warmUps += 1
        } else if trial.voidReason != nil {
            voidTrials += 1
            if first != nil { discardedTrials += 1 }
            first = nil
        } else if let other = first {
            let (base, head) = trial.side == .head ? (other, trial) : (trial, other)
            blocks.append(
                GateBlock(
                    block: trial.block, order: schedule.orders[trial.block - 1],
                    base: base.figures, head: head.figures))
            first = nil
        } else {
            first = trial
        }
    }
}
