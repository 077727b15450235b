/// The bounds of one goal, as the trials until now give them (RFC 9971, "Relevant Upper Bound" and
/// "Relevant Lower Bound").
///
/// The upper bound is the smallest load that is an upper bound. The lower bound is the largest
/// lower bound below it. If a good load lies above a bad one, the bad one is trusted.
struct SearchBracket {
    struct Bound {
        var load: Int
        /// Whether the load was measured for the goal's whole duration sum.
        var isFinal: Bool
        /// Whether the generators could not offer the load.
        var isGenerator = false
    }

    private(set) var lower: Bound?
    private(set) var upper: Bound?
    /// Whether a bad load lies below a good one.
    private(set) var isIrregular = false
    /// Every load that is a bound, in ascending order.
    private var loads: [Int] = []

    init(_ search: CapacitySearch, goal: Int) {
        let settings = search.settings.goals[goal]
        var classes: [(bound: Bound, loadClass: LoadClass)] = []
        for (load, trials) in Dictionary(grouping: search.trials, by: \.load)
            .sorted(by: { $0.key < $1.key })
        {
            if trials.reversed().prefix(while: \.isVoid).count >= CapacitySearch.voidLimit {
                classes.append(
                    (Bound(load: load, isFinal: true, isGenerator: true), .upperBound))
                continue
            }
            let (loadClass, isFinal) = Self.classify(trials, goal, settings)
            guard loadClass != .undecided else { continue }
            classes.append((Bound(load: load, isFinal: isFinal), loadClass))
        }
        if let limit = search.generatorLimit {
            classes.append(
                (Bound(load: limit, isFinal: true, isGenerator: true), .upperBound))
            classes.sort { $0.bound.load < $1.bound.load }
        }
        loads = classes.map(\.bound.load)
        let upper = classes.first { $0.loadClass == .upperBound }?.bound
        self.upper = upper
        lower =
            classes.last {
                $0.loadClass == .lowerBound && $0.bound.load < upper?.load ?? .max
            }?.bound
        let lowestBad = classes.first { $0.loadClass == .upperBound && !$0.bound.isGenerator }
        let highestGood = classes.last { $0.loadClass == .lowerBound }
        if let lowestBad, let highestGood {
            isIrregular = lowestBad.bound.load < highestGood.bound.load
        }
    }

    /// Classifies a load by the goal's duration sum or, as long as that does not decide, by a
    /// single first trial.
    private static func classify(
        _ trials: [CapacitySearch.Trial], _ goal: Int, _ settings: SearchGoal
    ) -> (LoadClass, isFinal: Bool) {
        var (short, long) = (LoadTally(), LoadTally())
        for trial in trials where !trial.isVoid && trial.good.indices.contains(goal) {
            let (seconds, isGood) = (trial.durationSeconds, trial.good[goal])
            short.add(seconds: seconds, isGood: isGood, longSeconds: settings.initialSeconds)
            long.add(seconds: seconds, isGood: isGood, longSeconds: settings.finalSeconds)
        }
        let decided = long.loadClass(
            exceedRatio: settings.exceedRatio, sumSeconds: settings.sumSeconds)
        guard decided == .undecided else { return (decided, true) }
        let guess = short.loadClass(
            exceedRatio: settings.exceedRatio, sumSeconds: settings.initialSeconds)
        return (guess, false)
    }

    /// Whether the bounds are at most this share of the upper bound apart, or are neighbours.
    func isNarrow(_ relativeWidth: Double) -> Bool {
        guard let lower, let upper else { return false }
        let width = upper.load - lower.load
        return width <= 1 || Double(width) <= relativeWidth * Double(upper.load) + 1e-9
    }

    /// A load between two bounds: the geometric mean of bounds that are far apart, otherwise the
    /// arithmetic mean.
    static func middle(_ lower: Int, _ upper: Int) -> Int {
        let isWide = Double(upper) >= 1.5 * Double(lower)
        let mean =
            isWide
            ? Int((Double(lower) * Double(upper)).squareRoot().rounded())
            : lower + (upper - lower) / 2
        return min(upper - 1, max(lower + 1, mean))
    }

    /// The load to try above a good load: twice the last step further, and at most twice the load.
    func above(_ load: Int) -> Int {
        let step = loads.last { $0 < load }.map { 2 * (load - $0) } ?? load
        return load + max(1, min(load, step))
    }

    /// The load to try below a bad load: twice the last step further, and at least half the load.
    func below(_ load: Int) -> Int {
        let step = loads.first { $0 > load }.map { 2 * ($0 - load) } ?? load
        return min(load - 1, max(load / 2, load - step))
    }
}

extension CapacitySearch {
    /// What a search found for one goal.
    package struct GoalResult: Hashable, Sendable {
        package var goal: String
        /// Largest load that the goal holds for, below the upper bound; nil if there is none.
        package var lowerBound: Int?
        /// Smallest load that the goal fails for; nil if there is none.
        package var upperBound: Int?
        /// Whether both bounds are confirmed by the duration sum and as close as the goal asks. If
        /// not, the search ended before its time.
        package var isConfirmed = false
        /// Delivered rate at the lower bound in the unit of the trials, which the share of time
        /// that the goal asks for reached; nil if no trial there measured a rate.
        package var conditionalThroughput: Double?
        /// Whether a bad load lies below a good one.
        package var isIrregular = false
        /// Whether even the highest load is good.
        package var hasNoUpperBound = false
        /// Whether even the lowest load is bad.
        package var isBelowLowest = false
        /// Whether the upper bound is a load that the generators could not offer.
        package var isGeneratorLimited = false
    }

    /// The bounds of a goal, by the trials until now.
    ///
    /// - Parameter goal: Index of the goal in the settings.
    /// - Returns: nil if there is no such goal.
    package func result(ofGoal goal: Int) -> GoalResult? {
        guard settings.goals.indices.contains(goal) else { return nil }
        let settings = settings
        let bracket = SearchBracket(self, goal: goal)
        var result = GoalResult(goal: settings.goals[goal].name)
        result.lowerBound = bracket.lower?.load
        result.upperBound = bracket.upper?.load
        result.isIrregular = bracket.isIrregular
        result.isGeneratorLimited = bracket.upper?.isGenerator ?? false
        switch (bracket.lower, bracket.upper) {
        case (nil, nil): break
        case (nil, .some(let upper)):
            result.isBelowLowest = upper.load <= settings.lowestLoad && !upper.isGenerator
            result.isConfirmed = upper.isFinal && upper.load <= settings.lowestLoad
        case (.some(let lower), nil):
            result.hasNoUpperBound = lower.load >= settings.highestLoad
            result.isConfirmed = lower.isFinal && result.hasNoUpperBound
        case (.some(let lower), .some(let upper)):
            result.isConfirmed =
                lower.isFinal && upper.isFinal
                && bracket.isNarrow(settings.goals[goal].relativeWidth)
        }
        result.conditionalThroughput = bracket.lower.flatMap {
            conditionalThroughput(at: $0.load, settings.goals[goal])
        }
        return result
    }

    /// The rate that trials at a load reached in all but the exceed ratio of the time (RFC 9971,
    /// appendix "Conditional Throughput Code"). Only trials of the final duration count, if there are
    /// any. Time that is missing up to the duration sum counts as if nothing were delivered in it, so
    /// the rate cannot get worse by further trials.
    private func conditionalThroughput(at load: Int, _ goal: SearchGoal) -> Double? {
        let known = trials.filter { $0.load == load && !$0.isVoid && $0.forwardingRate != nil }
        let long = known.filter { $0.durationSeconds >= goal.finalSeconds }
        let counted = (long.isEmpty ? known : long).sorted {
            ($0.forwardingRate ?? 0) > ($1.forwardingRate ?? 0)
        }
        let measured = counted.reduce(0) { $0 + $1.durationSeconds }
        let whole = long.isEmpty ? measured : max(measured, goal.sumSeconds)
        var left = whole * (1 - goal.exceedRatio)
        for trial in counted {
            left -= trial.durationSeconds
            if left <= 1e-9 { return trial.forwardingRate }
        }
        return counted.last?.forwardingRate
    }
}
