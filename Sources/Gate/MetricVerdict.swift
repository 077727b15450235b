import SimulationKernel
import Statistics

/// The verdict of a gate for one metric, with the raw pairs that it comes from.
package struct MetricVerdict: Codable, Hashable, Sendable {
    /// The two figures of one block. A figure that is missing or not a finite number is nil.
    package struct Pair: Codable, Hashable, Sendable {
        package var block: Int
        package var order: BlockSchedule.Order?
        package var base: Double?
        package var head: Double?
        /// The worsening, on the scale of the test; nil if it cannot be formed.
        package var worsening: Double?
        /// Why the worsening cannot be formed; nil if it can.
        package var fault: String?
    }

    private enum CodingKeys: String, CodingKey {
        case outcome, reason, sentence, metric, pairs, estimate, low, high, limit
        case intervalLevel = "interval_level"
        case pWorse = "p_worse"
        case pAdjusted = "p_adjusted"
        case pWithin = "p_within"
        case isExact = "is_exact"
        case signFlips = "sign_flips"
    }

    package var outcome: GateOutcome
    /// Why the outcome is what it is, in one sentence.
    package var reason: String
    /// The change in words, such as "p99 delay 1.73 ± 0.08 times lower"; nil without an estimate.
    package var sentence: String?
    package var metric: GateMetric
    package var pairs: [Pair]
    /// Geometric mean of head / base for a ratio, mean of head − base for a difference; nil if a
    /// block has no value. The interval and the limit have the same scale.
    package var estimate: Double?
    /// Ends of the interval; nil = unbounded or not known.
    package var low: Double?
    package var high: Double?
    /// Coverage of the interval, 0 to 1.
    package var intervalLevel: Double
    /// Where the allowed change ends: at most this is allowed if lower is better, at least this if
    /// higher is.
    package var limit: Double?
    /// One-sided p value of "the head is worse than the limit allows"; 1 without an estimate.
    package var pWorse: Double
    /// `pWorse` after Holm's correction over the declared metrics.
    package var pAdjusted: Double
    /// One-sided p value of "the head is within the limit"; 1 without an estimate.
    package var pWithin: Double
    /// Whether all sign changes were listed; false = they were drawn at random.
    package var isExact: Bool
    /// Number of sign changes behind the p values.
    package var signFlips: Int

    init(_ figures: MetricFigures, pAdjusted: Double, _ settings: GateSettings) {
        let metric = figures.metric
        self.metric = metric
        self.pAdjusted = pAdjusted
        pairs = figures.pairs
        pWorse = figures.pWorse
        pWithin = figures.pWithin
        intervalLevel = settings.intervalLevel
        isExact = figures.test?.isExact ?? false
        signFlips = figures.test?.flips ?? 0
        limit = metric.figure(ofWorsening: metric.margin)
        if let test = figures.test {
            let ends = [
                test.lowerBound(level: settings.alpha).flatMap(metric.figure(ofWorsening:)),
                test.upperBound(level: settings.alpha).flatMap(metric.figure(ofWorsening:)),
            ]
            let isLowerBetter = metric.direction == .lowerIsBetter
            estimate = metric.figure(ofWorsening: test.mean)
            low = isLowerBetter ? ends[0] : ends[1]
            high = isLowerBetter ? ends[1] : ends[0]
        }
        if let obstacle = figures.obstacle {
            outcome = .inconclusive
            reason = "The gate cannot judge the \(metric.title): \(obstacle)."
        } else if pAdjusted <= settings.alpha {
            outcome = .fail
            reason =
                "The \(metric.title) is shown to be beyond its limit of "
                + "\(Self.text(ofLimit: limit, metric)) (p = \(Self.text(pAdjusted)) after Holm's "
                + "correction)."
        } else if figures.pWithin <= settings.alpha {
            outcome = .pass
            reason =
                "The \(metric.title) is shown to be within its limit of "
                + "\(Self.text(ofLimit: limit, metric)) (p = \(Self.text(figures.pWithin)))."
        } else {
            outcome = .inconclusive
            reason =
                "The \(metric.title) is neither shown to be beyond its limit of "
                + "\(Self.text(ofLimit: limit, metric)) (p = \(Self.text(pAdjusted)) after Holm's "
                + "correction) nor within it (p = \(Self.text(figures.pWithin)))."
        }
        sentence = changeSentence
    }

    private static func text(_ p: Double) -> String {
        Figure.plain(p, digits: p < 0.001 ? 5 : 4)
    }

    private static func text(ofLimit limit: Double?, _ metric: GateMetric) -> String {
        switch metric.kind {
        case .ratio: "\(Figure.plain(limit, digits: 3)) times the base's"
        case .difference:
            "\(Figure.plain(limit?.magnitude, digits: 4)) \(metric.unit) "
                + (metric.direction == .lowerIsBetter ? "above" : "below") + " the base's"
        }
    }
}

extension MetricVerdict {
    /// Tells the change as hyperfine does. The number after ± is half the width of the interval, on
    /// the scale of the number before it.
    private var changeSentence: String? {
        guard let estimate else { return nil }
        return metric.kind == .ratio
            ? ratioSentence(estimate) : differenceSentence(estimate)
    }

    private func ratioSentence(_ estimate: Double) -> String? {
        guard estimate > 0 else { return nil }
        let isLower = estimate < 1
        let factor = isLower ? 1 / estimate : estimate
        guard factor.isFinite else { return nil }
        var half: Double?
        if let low, let high, low > 0 {
            half = (isLower ? 1 / low - 1 / high : high - low) / 2
        }
        let digits = Self.digits(half, least: 2)
        let number = Figure.plain(factor, digits: digits) + Self.spread(half, digits)
        guard Figure.plain(factor, digits: digits) != Figure.plain(1, digits: digits) else {
            return "\(metric.title) \(number) times the base's"
        }
        return "\(metric.title) \(number) times \(isLower ? "lower" : "higher")"
    }

    private func differenceSentence(_ estimate: Double) -> String {
        var half: Double?
        if let low, let high { half = (high - low) / 2 }
        if estimate == 0, (half ?? 0) == 0 { return "\(metric.title) the same" }
        let digits = Self.digits((half ?? 0) > 0 ? half : estimate, least: 0)
        let number =
            Figure.plain(estimate.magnitude, digits: digits) + Self.spread(half, digits)
        let word = estimate < 0 ? "lower" : "higher"
        return "\(metric.title) \(word) by \(number) \(metric.unit)"
    }

    private static func spread(_ half: Double?, _ digits: Int) -> String {
        guard let half, half.isFinite else { return "" }
        return " ± \(Figure.plain(half, digits: digits))"
    }

    /// Returns the number of decimals, up to 6, that shows a first digit of `value`.
    private static func digits(_ value: Double?, least: Int) -> Int {
        guard let value, value.isFinite, value != 0 else { return max(least, 2) }
        var digits = 0
        var scaled = value.magnitude
        while scaled < 1, digits < 6 {
            scaled *= 10
            digits += 1
        }
        return max(digits, least)
    }
}

/// The pairs of one metric and the test of their values.
struct MetricFigures {
    var metric: GateMetric
    var pairs: [MetricVerdict.Pair]
    /// Nil if a block has no value.
    var test: PairedTest?
    /// Why the metric cannot be judged; nil if it can.
    var obstacle: String?
    var pWorse = 1.0
    var pWithin = 1.0

    /// - Parameter obstacle: Why no metric of the gate can be judged; nil if they can. The estimate
    ///   is computed nevertheless.
    init(
        _ metric: GateMetric, _ blocks: [GateBlock], _ settings: GateSettings, _ obstacle: String?
    ) {
        self.metric = metric
        self.obstacle = obstacle
        pairs = blocks.map { Self.pair($0, metric) }
        if let pair = pairs.first(where: { $0.fault != nil }), let fault = pair.fault {
            let others = pairs.count(where: { $0.fault != nil }) - 1
            let more = others > 0 ? " (and \(Figure.count(others, "more block")))" : ""
            self.obstacle = obstacle ?? "in block \(pair.block) \(fault)\(more)"
            return
        }
        do {
            let test = try PairedTest(
                pairs.compactMap(\.worsening), seed: Self.seed(settings.seed, metric.name))
            self.test = test
            if self.obstacle == nil {
                pWorse = test.pAbove(metric.margin)
                pWithin = test.pBelow(metric.margin)
            }
        } catch {
            self.obstacle = obstacle ?? error.description
        }
    }

    private static func pair(_ block: GateBlock, _ metric: GateMetric) -> MetricVerdict.Pair {
        let (base, head) = (block.base[metric.name], block.head[metric.name])
        var pair = MetricVerdict.Pair(
            block: block.block, order: block.order, base: base.flatMap { $0.isFinite ? $0 : nil },
            head: head.flatMap { $0.isFinite ? $0 : nil })
        do {
            pair.worsening = try metric.worsening(base: base, head: head)
        } catch {
            pair.fault = error.description
        }
        return pair
    }

    /// Every metric draws its random sign changes from a stream of its own.
    private static func seed(_ seed: UInt64, _ name: String) -> UInt64 {
        var generator = SeededGenerator(seed: seed, entity: "gate metric \(name)")
        return generator.next()
    }
}
