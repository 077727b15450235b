import SimulationKernel

/// The order of a gate's runs: a warm-up pair that is discarded, then blocks of one run of the base
/// and one of the head.
///
/// The order within the blocks is random and balanced: half of the blocks start with the base and
/// half with the head (of an odd number, either half may have the one more). Drift and effects of
/// the order then favour neither side, and this is what justifies the sign flips of `PairedTest`.
/// Abedi and Brecht (ICPE 2017) call such designs randomised multiple interleaved trials.
package struct BlockSchedule: Codable, Hashable, Sendable {
    /// Order of the two runs of a block.
    package enum Order: String, Codable, Hashable, Sendable {
        case baseFirst = "base_first"
        case headFirst = "head_first"

        package var sides: [GateSide] {
            self == .baseFirst ? [.base, .head] : [.head, .base]
        }
    }

    /// One run of the schedule.
    package struct Run: Codable, Hashable, Sendable {
        /// Number of the block from 1; 0 = the warm-up pair.
        package var block: Int
        package var side: GateSide

        package init(block: Int, side: GateSide) {
            self.block = block
            self.side = side
        }
    }

    private enum CodingKeys: String, CodingKey {
        case seed, orders
        case warmUp = "warm_up"
    }

    /// Fewest blocks of a gate: with eight, the smallest p value is 2⁻⁸ = 0.0039.
    package static let fewestBlocks = 8
    package static let mostBlocks = 64

    package let seed: UInt64
    package let warmUp: Order
    /// Orders of the blocks; the first is that of block 1.
    package let orders: [Order]

    /// - Parameters:
    ///   - blocks: Number of blocks, `fewestBlocks` to `mostBlocks`.
    ///   - seed: The same seed gives the same schedule.
    package init(blocks: Int, seed: UInt64) throws(GateFault) {
        guard blocks >= Self.fewestBlocks, blocks <= Self.mostBlocks else {
            throw GateFault(
                "a gate has \(Self.fewestBlocks) to \(Self.mostBlocks) blocks, not \(blocks)")
        }
        var generator = SeededGenerator(seed: seed, entity: "gate schedule")
        func draw(below count: Int) -> Int {
            Int(UInt64(count).multipliedFullWidth(by: generator.next()).high)
        }
        let isBaseFirst = draw(below: 2) == 0
        let extra = blocks % 2 == 0 ? 0 : draw(below: 2)
        var orders: [Order] = []
        for index in 0..<blocks {
            orders.append(index < blocks / 2 + extra ? .baseFirst : .headFirst)
        }
        // Fisher and Yates's shuffle.
        for last in stride(from: blocks - 1, to: 0, by: -1) {
            orders.swapAt(last, draw(below: last + 1))
        }
        self.seed = seed
        warmUp = isBaseFirst ? .baseFirst : .headFirst
        self.orders = orders
    }

    /// Returns the two runs of a block in their order; 0 = the warm-up pair. A block that is not in
    /// the schedule has no runs.
    package func runs(ofBlock block: Int) -> [Run] {
        let order: Order
        if block == 0 {
            order = warmUp
        } else if block >= 1, block <= orders.count {
            order = orders[block - 1]
        } else {
            return []
        }
        return order.sides.map { Run(block: block, side: $0) }
    }

    /// All runs in their order, if no trial is void.
    package var runs: [Run] { (0...orders.count).flatMap { runs(ofBlock: $0) } }
}
