/// What a gate or one of its metrics came to.
package enum GateOutcome: String, Codable, Hashable, Sendable {
    /// Every metric is shown to be within its limit.
    case pass
    /// A metric is shown to be beyond its limit.
    case fail
    /// Neither is shown.
    case inconclusive

    /// The word that people read.
    package var word: String { rawValue.uppercased() }
}

/// The verdict of a gate, from the figures of its blocks.
///
/// A metric fails if the sign-flip test shows that its worsening is above the margin, with the p
/// values of all declared metrics corrected by Holm's method. It passes if the upper bound of its
/// worsening at level α is below the margin; this needs no correction, because the gate passes only
/// if every metric does. Otherwise it is inconclusive. The gate fails if one metric fails, passes if
/// all pass, and is inconclusive otherwise.
package struct GateVerdict: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case outcome, reason, settings, metrics, notes
        case validBlocks = "valid_blocks"
        case voidTrials = "void_trials"
    }

    package var outcome: GateOutcome
    /// Why the outcome is what it is, in one sentence.
    package var reason: String
    package var settings: GateSettings
    /// Verdicts in the order of the declared metrics.
    package var metrics: [MetricVerdict]
    /// What a reader must know besides, such as that the order of the runs is not known.
    package var notes: [String]
    /// Number of complete blocks.
    package var validBlocks: Int
    /// Number of void trials, which were replaced.
    package var voidTrials: Int

    /// Judges the blocks of a gate.
    ///
    /// - Parameters:
    ///   - blocks: Complete blocks. If there are fewer than the settings fix, or more than 2n trials
    ///     were void, every metric is inconclusive.
    ///   - voidTrials: Number of void trials outside the warm-up.
    /// - Throws: `GateFault` if the settings cannot be used, or if the blocks are not those of the
    ///   settings: too many of them, one twice, or an order that is not the schedule's.
    package init(
        _ settings: GateSettings, blocks: [GateBlock], voidTrials: Int = 0
    ) throws(GateFault) {
        if let fault = settings.fault { throw GateFault(fault) }
        let schedule = try BlockSchedule(blocks: settings.blocks, seed: settings.seed)
        try Self.check(blocks, schedule)
        self.settings = settings
        self.voidTrials = voidTrials
        validBlocks = blocks.count
        notes = []
        if blocks.contains(where: { $0.order == nil }) {
            notes.append(
                "The order of the runs is not known. If it was not random, drift and effects of "
                    + "the order can look like a change.")
        }
        let obstacle = Self.obstacle(settings, blocks: blocks.count, voidTrials: voidTrials)
        let figures = settings.metrics.map { MetricFigures($0, blocks, settings, obstacle) }
        let adjusted = Holm.adjusted(figures.map(\.pWorse))
        metrics = zip(figures, adjusted).map { MetricVerdict($0, pAdjusted: $1, settings) }
        let (outcome, reason) = Self.together(metrics, obstacle)
        self.outcome = outcome
        self.reason = reason
    }

    /// Judges a gate's course.
    package init(_ settings: GateSettings, _ progress: GateProgress) throws(GateFault) {
        try self.init(settings, blocks: progress.blocks, voidTrials: progress.voidTrials)
    }

    private static func check(
        _ blocks: [GateBlock], _ schedule: BlockSchedule
    ) throws(GateFault) {
        let count = schedule.orders.count
        guard blocks.count <= count else {
            throw GateFault(
                "there are \(blocks.count) blocks, but \(count) were fixed beforehand: blocks "
                    + "that are added later spoil the p values")
        }
        var seen: Set<Int> = []
        for block in blocks {
            guard block.block >= 1, block.block <= count else {
                throw GateFault("block \(block.block) is not one of the \(count) blocks")
            }
            guard seen.insert(block.block).inserted else {
                throw GateFault("block \(block.block) is there twice")
            }
            guard block.order == nil || block.order == schedule.orders[block.block - 1] else {
                throw GateFault(
                    "the runs of block \(block.block) do not have the order of the schedule of "
                        + "the seed \(schedule.seed): without random order the test is not valid")
            }
        }
    }

    /// Says why no metric can be judged; nil if they can.
    private static func obstacle(
        _ settings: GateSettings, blocks: Int, voidTrials: Int
    ) -> String? {
        let most = GateProgress.mostVoidTrials(blocks: settings.blocks)
        if voidTrials > most {
            return "\(voidTrials) trials were void, and at most \(most) are replaced"
        }
        if blocks < settings.blocks {
            return "only \(blocks) of \(settings.blocks) blocks are complete"
        }
        return nil
    }

    private static func together(
        _ metrics: [MetricVerdict], _ obstacle: String?
    ) -> (GateOutcome, String) {
        if let obstacle { return (.inconclusive, "The gate cannot judge: \(obstacle).") }
        func titles(_ outcome: GateOutcome) -> String {
            metrics.filter { $0.outcome == outcome }.map(\.metric.title).joined(separator: ", ")
        }
        if metrics.contains(where: { $0.outcome == .fail }) {
            return (.fail, "These metrics are worse than their limits allow: \(titles(.fail)).")
        }
        if metrics.allSatisfy({ $0.outcome == .pass }) {
            return (.pass, "Every metric is shown to be within its limit.")
        }
        return (
            .inconclusive,
            "No metric is shown to be beyond its limit, but these are not shown to be within "
                + "theirs: \(titles(.inconclusive))."
        )
    }
}
