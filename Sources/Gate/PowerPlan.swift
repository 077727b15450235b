import SimulationKernel

/// How many blocks a gate needs, and which change a given number of blocks detects, from a pilot
/// that compares one build with itself.
///
/// The blocks of a simulated gate are drawn from the pilot's values: with replacement, around their
/// mean, with a random sign (in the pilot base and head are alike, so a value is as likely as its
/// negative), and widened by √(m / (m − 1)) for the m pilot blocks, because values lie closer to
/// their own mean than to the true one. The sign-flip test of a simulated gate rejects a worsening w
/// exactly if w exceeds the margin by more than the negative of the lower bound of the drawn values.
/// So one simulation of many gates gives the power for every change.
///
/// A metric is tested at α / (number of metrics), the first step of Holm's correction. The true
/// power is a little larger if other metrics fail too. Bursts that last over several blocks are
/// not kept by the drawing; a pilot of many blocks at different times shows them.
package struct PowerPlan: Codable, Hashable, Sendable {
    /// How the plan is computed. The cost is bounded by the product of the two numbers.
    package struct Options: Hashable, Sendable {
        /// Probability with which the change is to be detected, 0.5 to 0.99.
        package var power = 0.8
        /// Number of simulated gates, 20 to 20,000.
        package var simulations = 1000
        /// Number of random sign changes for more than ten blocks, 499 to 9,999.
        package var flips = 999
        package var seed: UInt64

        package init(seed: UInt64) { self.seed = seed }

        /// The options with every number in its range.
        var bounded: Options {
            var options = self
            options.power = power >= 0.5 ? min(power, 0.99) : 0.5
            options.simulations = min(max(simulations, 20), 20_000)
            options.flips = min(max(flips, 499), 9_999)
            return options
        }
    }

    /// What the pilot says about one metric.
    package struct MetricPlan: Codable, Hashable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case metric, spread, blocks, power, reason
            case detectableChange = "detectable_change"
        }

        package var metric: GateMetric
        /// Standard deviation of the pilot's values: of the log ratios for a ratio (0.06 is about
        /// 6 %), in the metric's unit for a difference; nil if a value cannot be formed.
        package var spread: Double?
        /// Blocks that detect twice the allowed change with the wanted power; nil if
        /// `PowerPlan.mostBlocks` are not enough, or if the pilot does not tell.
        package var blocks: Int?
        /// Smallest change for the worse that the given number of blocks detects with the wanted
        /// power: a share for a ratio, an amount for a difference.
        package var detectableChange: Double?
        /// Share of simulated gates of the given number of blocks that detect twice the allowed
        /// change.
        package var power: Double?
        /// Why a figure is missing; nil if none is.
        package var reason: String?
    }

    private enum CodingKeys: String, CodingKey {
        case metrics, blocks
        case pilotBlocks = "pilot_blocks"
        case givenBlocks = "given_blocks"
        case wantedPower = "wanted_power"
    }

    package static let fewestBlocks = BlockSchedule.fewestBlocks
    package static let mostBlocks = 40
    package static let mostPilotBlocks = 10_000

    package var metrics: [MetricPlan]
    /// Blocks that are enough for every metric; nil if one of them has no number.
    package var blocks: Int?
    package var pilotBlocks: Int
    /// Number of blocks of the settings, to which the detectable changes belong.
    package var givenBlocks: Int
    /// Probability with which the changes are to be detected.
    package var wantedPower: Double

    /// - Parameters:
    ///   - settings: The gate to plan; its number of blocks is the given one.
    ///   - pilot: Blocks in which base and head are the same build, 8 to 10,000.
    /// - Throws: `GateFault` if the settings cannot be used or the pilot has too few blocks.
    package init(
        _ settings: GateSettings, pilot: [GateBlock], options: Options
    ) throws(GateFault) {
        if let fault = settings.fault { throw GateFault(fault) }
        guard pilot.count >= Self.fewestBlocks, pilot.count <= Self.mostPilotBlocks else {
            throw GateFault(
                "a pilot has \(Self.fewestBlocks) to \(Self.mostPilotBlocks) blocks, not "
                    + "\(pilot.count)")
        }
        let options = options.bounded
        metrics = settings.metrics.map { Self.plan($0, pilot, settings, options) }
        let needs = metrics.compactMap(\.blocks)
        blocks = needs.count == metrics.count ? needs.max() : nil
        pilotBlocks = pilot.count
        givenBlocks = settings.blocks
        wantedPower = options.power
    }

    /// Computes the share of gates that fail for each of several changes for the worse, which is
    /// the power curve of one metric.
    ///
    /// - Parameter changes: Shares for a ratio, amounts for a difference.
    /// - Throws: `GateFault` if the pilot has a block without a value, or fewer than two blocks.
    package static func curve(
        _ metric: GateMetric, changes: [Double], settings: GateSettings, pilot: [GateBlock],
        options: Options
    ) throws(GateFault) -> [Double] {
        if let fault = settings.fault { throw GateFault(fault) }
        let values = try PilotValues(metric, Array(pilot.prefix(mostPilotBlocks)))
        let excesses = values.excesses(
            blocks: settings.blocks, level: settings.strictestLevel, options.bounded)
        return changes.map { excesses.power(metric.worsening(ofChange: $0) - metric.margin) }
    }

    private static func plan(
        _ metric: GateMetric, _ pilot: [GateBlock], _ settings: GateSettings, _ options: Options
    ) -> MetricPlan {
        var plan = MetricPlan(metric: metric)
        do {
            let values = try PilotValues(metric, pilot)
            let level = settings.strictestLevel
            let room = metric.worsening(ofChange: 2 * metric.allowedChange) - metric.margin
            let given = values.excesses(blocks: settings.blocks, level: level, options)
            plan.spread = values.spread
            if let excess = given.needed(power: options.power) {
                let change = metric.change(ofWorsening: metric.margin + excess)
                plan.detectableChange = change.isFinite ? change : nil
            }
            guard room > 0 else {
                plan.reason = "the allowed change is 0, and twice that is no change to detect"
                return plan
            }
            plan.power = given.power(room)
            plan.blocks = blocks(values, room: room, level: level, options)
            if plan.blocks == nil {
                plan.reason =
                    "the spread is so large that \(mostBlocks) blocks do not detect twice the "
                    + "allowed change"
            }
        } catch {
            plan.reason = error.description
        }
        return plan
    }

    /// Finds the smallest number of blocks that detects an excess of `room` over the margin, by
    /// bisection, because the needed excess falls with the number of blocks.
    private static func blocks(
        _ values: PilotValues, room: Double, level: Double, _ options: Options
    ) -> Int? {
        func isEnough(_ blocks: Int) -> Bool {
            let excesses = values.excesses(blocks: blocks, level: level, options)
            guard let needed = excesses.needed(power: options.power) else { return false }
            return needed <= room
        }
        guard isEnough(mostBlocks) else { return nil }
        var (low, high) = (fewestBlocks, mostBlocks)
        while low < high {
            let middle = (low + high) / 2
            if isEnough(middle) { high = middle } else { low = middle + 1 }
        }
        return high
    }
}

/// The values of one metric in a pilot.
struct PilotValues {
    var metric: GateMetric
    /// Values around their mean, widened to the spread of a new value around the true mean.
    var residuals: [Double]
    /// Standard deviation of the values.
    var spread: Double

    init(_ metric: GateMetric, _ pilot: [GateBlock]) throws(GateFault) {
        var values: [Double] = []
        for block in pilot {
            do {
                values.append(
                    try metric.worsening(
                        base: block.base[metric.name], head: block.head[metric.name]))
            } catch {
                throw GateFault("in block \(block.block) of the pilot \(error.description)")
            }
        }
        guard values.count >= 2 else { throw GateFault("a pilot needs at least two blocks") }
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        self.metric = metric
        spread = (squares / (count - 1)).squareRoot()
        let widening = (count / (count - 1)).squareRoot()
        residuals = values.map { ($0 - mean) * widening }
    }

    /// Simulates gates without a change and returns by how much a worsening must exceed the margin
    /// to be rejected by each of them.
    func excesses(blocks: Int, level: Double, _ options: PowerPlan.Options) -> GateExcesses {
        var generator = SeededGenerator(
            seed: options.seed, entity: "power of \(metric.name) with \(blocks) blocks")
        let flips = SignFlips(
            count: blocks, exactCount: 10, flips: options.flips, seed: generator.next())
        let rank = SignFlips.rank(level: level, sets: flips.sets.count)
        guard rank > 0 else { return GateExcesses(sorted: [], gates: options.simulations) }
        var excesses: [Double] = []
        excesses.reserveCapacity(options.simulations)
        var drawn = [Double](repeating: 0, count: flips.count)
        for _ in 0..<options.simulations {
            for index in drawn.indices {
                let place = UInt64(residuals.count).multipliedFullWidth(by: generator.next()).high
                let residual = residuals[Int(place)]
                drawn[index] = generator.next() & 1 == 0 ? residual : -residual
            }
            excesses.append(-Self.smallest(rank, of: flips.means(of: drawn)))
        }
        return GateExcesses(sorted: excesses.sorted(), gates: options.simulations)
    }

    /// Returns the value of a rank from 1 in ascending order. `rank` is at most the number of values
    /// and small, so that a list of the smallest values until now is quicker than sorting all.
    static func smallest(_ rank: Int, of values: [Double]) -> Double {
        var least: [Double] = []
        least.reserveCapacity(rank + 1)
        for value in values {
            if least.count == rank, let last = least.last, value >= last { continue }
            var place = least.count
            while place > 0, least[place - 1] > value { place -= 1 }
            least.insert(value, at: place)
            if least.count > rank { least.removeLast() }
        }
        return least.last ?? .infinity
    }
}

/// By how much a worsening must exceed the margin to be rejected, in simulated gates.
struct GateExcesses {
    /// Excesses in ascending order; empty if the test never rejects.
    var sorted: [Double]
    /// Number of simulated gates, at least 1.
    var gates: Int

    /// Share of the gates that reject a worsening that exceeds the margin by `room`.
    func power(_ room: Double) -> Double {
        guard gates > 0 else { return 0 }
        return Double(sorted.count(where: { $0 < room })) / Double(gates)
    }

    /// Smallest excess that the share `power` of the gates rejects; nil if no excess is.
    func needed(power: Double) -> Double? {
        guard !sorted.isEmpty, power > 0, power <= 1 else { return nil }
        let place = Int((power * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(place, 0), sorted.count - 1)]
    }
}
