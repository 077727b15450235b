/// A search for the largest load that a system carries, after RFC 9971 (Multiple Loss Ratio
/// Search), for loads that are whole numbers.
///
/// The search is a pure function of the trials that were recorded: `next()` says which trial comes
/// next, and the same trials give the same answer. An interrupted search therefore goes on if its
/// trials are recorded again.
///
/// For each goal, in turn, the search doubles the load from the start load until a load is bad, and
/// halves the bracket with short trials until it is as narrow as the goal asks. Long trials then
/// confirm both ends. If they contradict the short ones, the bracket moves, by twice its last width
/// at a time. Every trial is judged for every goal, so later goals begin with what is known.
///
/// A void trial says nothing about the system. It is repeated; after three void trials at a load
/// in a row, the load is beyond what the generators can offer, and it bounds the search from above.
package struct CapacitySearch: Sendable {
    package struct Settings: Codable, Hashable, Sendable {
        package var lowestLoad: Int
        package var highestLoad: Int
        package var startLoad: Int
        package var goals: [SearchGoal]
        /// Largest number of trials, void ones included.
        package var maximumTrials = 200
        /// Time for all trials together in seconds.
        package var budgetSeconds: Double
        /// Seconds that a trial takes besides its own duration, as a guess before the first trial.
        package var overheadSeconds = 5.0

        package init(
            lowestLoad: Int, highestLoad: Int, startLoad: Int? = nil, goals: [SearchGoal],
            budgetSeconds: Double = 600
        ) {
            self.lowestLoad = lowestLoad
            self.highestLoad = highestLoad
            self.startLoad = startLoad ?? lowestLoad
            self.goals = goals
            self.budgetSeconds = budgetSeconds
        }
    }

    /// One trial and its verdict for each goal.
    package struct Trial: Codable, Hashable, Sendable {
        package var load: Int
        package var durationSeconds: Double
        /// Verdicts in the order of the goals; empty if the trial is void.
        package var good: [Bool]
        /// What the system delivered, in any unit; nil if that was not measured.
        package var forwardingRate: Double?
        package var isVoid: Bool
        /// Time that the whole trial took in seconds.
        package var wallSeconds: Double

        package init(
            load: Int, durationSeconds: Double, good: [Bool], forwardingRate: Double? = nil,
            isVoid: Bool = false, wallSeconds: Double
        ) {
            self.load = load
            self.durationSeconds = durationSeconds
            self.good = good
            self.forwardingRate = forwardingRate
            self.isVoid = isVoid
            self.wallSeconds = wallSeconds
        }
    }

    /// Reason why a search has no further trial.
    package enum End: String, Codable, Sendable {
        /// Every goal has its bounds.
        case complete
        /// The next trial would exceed the time for all trials.
        case budget
        /// There were as many trials as are allowed.
        case trials
    }

    package enum Step: Hashable, Sendable {
        case trial(load: Int, durationSeconds: Double)
        case done(End)
    }

    /// A setting or a trial that the search cannot use.
    package struct Fault: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    package static let largestLoad = 1_000_000_000_000
    /// Number of void trials at a load, without a valid one between them, after which the load counts
    /// as the generators' limit.
    package static let voidLimit = 3
    private static let mostTrials = 100_000

    package let settings: Settings
    package private(set) var trials: [Trial] = []
    /// Seconds that were spent on something else than trials.
    package private(set) var otherSeconds = 0.0
    /// Smallest load that the generators cannot offer, as a calibration found; nil = none is known.
    package private(set) var generatorLimit: Int?

    package init(_ settings: Settings) throws(Fault) {
        if let fault = settings.fault { throw Fault(description: fault) }
        self.settings = settings
    }

    /// Adds a trial.
    ///
    /// - Throws: `Fault` if the trial is not one of this search.
    package mutating func record(_ trial: Trial) throws(Fault) {
        guard trials.count < Self.mostTrials else {
            throw Fault(description: "there are more than \(Self.mostTrials) trials")
        }
        let loads = settings.lowestLoad...settings.highestLoad
        guard loads.contains(trial.load) else {
            throw Fault(
                description: "a trial has the load \(trial.load), which is not in "
                    + "\(loads.lowerBound) to \(loads.upperBound)")
        }
        guard trial.isVoid || trial.good.count == settings.goals.count else {
            throw Fault(
                description: "a trial has \(trial.good.count) verdicts for "
                    + "\(settings.goals.count) goals")
        }
        let rate = trial.forwardingRate ?? 0
        guard (0...1e6).contains(trial.wallSeconds), (0...1e6).contains(trial.durationSeconds),
            trial.durationSeconds > 0, (0...1e18).contains(rate)
        else {
            throw Fault(description: "a trial has a duration or a rate that no trial can have")
        }
        trials.append(trial)
    }

    /// Takes time from the budget for something else than a trial.
    package mutating func spend(seconds: Double) {
        guard (0...1e6).contains(seconds) else { return }
        otherSeconds += seconds
    }

    /// Tells that the generators cannot offer this load even without the system under test. A load
    /// outside the search changes nothing.
    package mutating func limitGenerators(to load: Int) {
        guard (settings.lowestLoad...settings.highestLoad).contains(load) else { return }
        generatorLimit = min(generatorLimit ?? load, load)
    }

    /// Time that was spent until now in seconds.
    package var spentSeconds: Double { trials.reduce(otherSeconds) { $0 + $1.wallSeconds } }

    /// The next trial, or the reason why there is none.
    package func next() -> Step {
        for goal in settings.goals.indices {
            guard let (load, seconds) = pending(goal) else { continue }
            if trials.count >= settings.maximumTrials { return .done(.trials) }
            if !trials.isEmpty, spentSeconds + expectedSeconds(seconds) > settings.budgetSeconds {
                return .done(.budget)
            }
            return .trial(load: load, durationSeconds: seconds)
        }
        return .done(.complete)
    }

    /// Time that a trial of this duration will take, by the longest overhead until now.
    package func expectedSeconds(_ seconds: Double) -> Double {
        let overheads = trials.map { $0.wallSeconds - $0.durationSeconds }
        return seconds + max(0, overheads.max() ?? settings.overheadSeconds)
    }

    /// The trial that a goal needs next; nil if the goal has its bounds.
    private func pending(_ goal: Int) -> (load: Int, seconds: Double)? {
        let bracket = SearchBracket(self, goal: goal)
        let short = settings.goals[goal].initialSeconds
        let long = settings.goals[goal].finalSeconds
        switch (bracket.lower, bracket.upper) {
        case (nil, nil): return (settings.startLoad, short)
        case (nil, .some(let upper)):
            guard upper.load <= settings.lowestLoad else {
                return (max(settings.lowestLoad, bracket.below(upper.load)), short)
            }
            return upper.isFinal ? nil : (settings.lowestLoad, long)
        case (.some(let lower), nil):
            guard lower.load >= settings.highestLoad else {
                return (min(settings.highestLoad, bracket.above(lower.load)), short)
            }
            return lower.isFinal ? nil : (lower.load, long)
        case (.some(let lower), .some(let upper)):
            guard bracket.isNarrow(settings.goals[goal].relativeWidth) else {
                return (SearchBracket.middle(lower.load, upper.load), short)
            }
            if !lower.isFinal { return (lower.load, long) }
            return upper.isFinal ? nil : (upper.load, long)
        }
    }
}

extension CapacitySearch.Settings {
    /// Says what is wrong with the settings; nil if they can be searched.
    fileprivate var fault: String? {
        guard lowestLoad >= 1, lowestLoad <= highestLoad,
            highestLoad <= CapacitySearch.largestLoad
        else {
            return "loads go from at least 1 up to at most \(CapacitySearch.largestLoad), "
                + "not from \(lowestLoad) to \(highestLoad)"
        }
        guard (lowestLoad...highestLoad).contains(startLoad) else {
            return "the start load \(startLoad) is not in \(lowestLoad) to \(highestLoad)"
        }
        guard !goals.isEmpty, goals.count <= 64 else {
            return "a search has 1 to 64 goals, not \(goals.count)"
        }
        guard budgetSeconds > 0, budgetSeconds <= 1e6, (0...1e6).contains(overheadSeconds) else {
            return "the time for a search must be more than 0 and at most 1,000,000 s"
        }
        guard maximumTrials > 0 else { return "a search needs at least one trial" }
        return goals.lazy.compactMap(\.fault).first
    }
}
