package import Gate

/// Blocks of results that exist already, paired in the order in which they are given.
///
/// Nobody knows in which order the runs were made, and the verdict says so. A void run cannot be
/// replaced, so its pair is left out. That choice does not look at the figures.
package struct ResultPairs: Sendable {
    package private(set) var blocks: [GateBlock] = []
    package private(set) var trials: [ComparisonRecord.Trial] = []
    package private(set) var notes: [String] = []

    /// Number of void runs.
    package var voidTrials: Int { trials.count { $0.voidReason != nil } }

    /// Number of blocks that the gate fixes. It is more than there are if too many pairs are left
    /// out, and the verdict then is INCONCLUSIVE.
    package var fixedBlocks: Int { max(BlockSchedule.fewestBlocks, blocks.count) }

    /// - Throws: `ComparisonFault` if the directories do not pair, `ResultsError` if one cannot be
    ///   read.
    package init(base: [String], head: [String]) throws {
        guard base.count == head.count else {
            throw ComparisonFault(
                "there are \(base.count) results of the base and \(head.count) of the head, and "
                    + "they are compared in pairs: give as many of the one as of the other")
        }
        let (fewest, most) = (BlockSchedule.fewestBlocks, BlockSchedule.mostBlocks)
        guard base.count >= fewest, base.count <= most else {
            throw ComparisonFault(
                "a comparison needs \(fewest) to \(most) pairs of results, not \(base.count)")
        }
        var out: [String] = []
        for (index, pair) in zip(base, head).enumerated() {
            let number = index + 1
            let (a, b) = (
                try RunFigures(directory: pair.0), try RunFigures(directory: pair.1)
            )
            trials.append(.init(block: number, side: .base, a, directory: pair.0))
            trials.append(.init(block: number, side: .head, b, directory: pair.1))
            if let reason = a.voidReason ?? b.voidReason {
                out.append("\(number) (\(reason))")
            } else {
                blocks.append(
                    GateBlock(
                        block: blocks.count + 1, order: nil, base: a.figures, head: b.figures))
            }
        }
        if !out.isEmpty {
            notes.append("Pairs with a void run are left out: \(out.joined(separator: ", ")).")
        }
    }
}
