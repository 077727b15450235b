/// What a gate declares before its first run.
package struct GateSettings: Codable, Hashable, Sendable {
    package static let standardBlocks = 10

    /// The metrics that are tested together; a gate fails if one of them does.
    package var metrics: [GateMetric]
    /// Number of blocks n, which is fixed before the first run.
    package var blocks: Int
    /// Largest probability of a false FAIL over all metrics, and level of each one-sided bound.
    package var alpha: Double
    /// Seed of the schedule and of random sign changes.
    package var seed: UInt64

    package init(
        metrics: [GateMetric] = GateMetric.standard, blocks: Int = GateSettings.standardBlocks,
        alpha: Double = 0.05, seed: UInt64
    ) {
        self.metrics = metrics
        self.blocks = blocks
        self.alpha = alpha
        self.seed = seed
    }

    /// Coverage of the intervals: each end is a one-sided bound at level α, so that PASS means that
    /// the interval ends before the limit.
    package var intervalLevel: Double { 1 - 2 * alpha }

    /// Level at which one metric alone fails the gate, the first step of Holm's correction.
    package var strictestLevel: Double { alpha / Double(max(metrics.count, 1)) }

    /// Says what is wrong with the settings; nil if the gate can run.
    package var fault: String? {
        guard blocks >= BlockSchedule.fewestBlocks, blocks <= BlockSchedule.mostBlocks else {
            return "a gate has \(BlockSchedule.fewestBlocks) to \(BlockSchedule.mostBlocks) "
                + "blocks, not \(blocks)"
        }
        guard alpha > 0, alpha <= 0.2 else {
            return "the level α of a gate must be more than 0 and at most 0.2, not \(alpha)"
        }
        guard !metrics.isEmpty else { return "a gate needs at least one metric" }
        guard Set(metrics.map(\.name)).count == metrics.count else {
            return "two metrics of the gate have one name"
        }
        if let fault = metrics.lazy.compactMap(\.fault).first { return fault }
        let flips =
            blocks <= PairedTest.exactCount ? (1 << blocks) - 1 : PairedTest.standardFlips
        guard SignFlips.rank(level: strictestLevel, sets: flips) > 0 else {
            return "\(blocks) blocks cannot fail a gate of \(metrics.count) metrics at the level "
                + "\(alpha), because no p value is small enough: declare fewer metrics or more "
                + "blocks"
        }
        return nil
    }
}
