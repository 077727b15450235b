/// One goal of a capacity search: when a load counts as carried (RFC 9971, "Search Goal").
///
/// Whether a single trial is good or bad is judged outside. The goal says how many bad trials a
/// load may have, and how long a load must be measured.
package struct SearchGoal: Codable, Hashable, Sendable {
    package var name: String
    /// Share of the measured time at a load that bad trials may take, 0 to less than 1. RFC 9971
    /// recommends 0.5.
    package var exceedRatio: Double
    /// Duration of the first trial at a load in seconds.
    package var initialSeconds: Double
    /// Duration of a trial that confirms a bound in seconds; at least `initialSeconds`.
    package var finalSeconds: Double
    /// Time for which a load must be measured before it is a bound in seconds; at least
    /// `finalSeconds`.
    package var sumSeconds: Double
    /// Largest distance of the bounds, as a share of the upper bound, 0 to 1.
    package var relativeWidth: Double

    package init(
        name: String, exceedRatio: Double = 0.5, initialSeconds: Double, finalSeconds: Double,
        sumSeconds: Double, relativeWidth: Double
    ) {
        self.name = name
        self.exceedRatio = exceedRatio
        self.initialSeconds = initialSeconds
        self.finalSeconds = finalSeconds
        self.sumSeconds = sumSeconds
        self.relativeWidth = relativeWidth
    }

    /// Says what is wrong with the goal; nil if it can be searched.
    var fault: String? {
        func isDuration(_ seconds: Double) -> Bool { seconds > 0 && seconds <= 86_400 }
        if !(exceedRatio >= 0 && exceedRatio < 1) {
            return "the exceed ratio of the goal \(name) must be at least 0 and less than 1"
        }
        if !(isDuration(initialSeconds) && isDuration(finalSeconds) && isDuration(sumSeconds)) {
            return "the durations of the goal \(name) must be more than 0 and at most a day"
        }
        if initialSeconds > finalSeconds || finalSeconds > sumSeconds {
            return "a final trial of the goal \(name) must be at least as long as a first trial, "
                + "and the duration sum at least as long as a final trial"
        }
        if !(relativeWidth >= 0 && relativeWidth <= 1) {
            return "the width of the goal \(name) must be 0 to 1"
        }
        return nil
    }
}

/// What a goal knows about one load.
enum LoadClass: Sendable {
    /// The goal holds, even if all the time that is missing up to the duration sum were bad.
    case lowerBound
    /// The goal fails, even if all the time that is missing up to the duration sum were good.
    case upperBound
    case undecided
}

/// Measured seconds at one load, by duration and verdict, as RFC 9971 adds them up ("Load
/// Classification Logic").
struct LoadTally {
    private static let tolerance = 1e-9

    /// Seconds of trials that are at least as long as the goal's trial.
    var longGood = 0.0
    var longBad = 0.0
    /// Seconds of shorter trials.
    var shortGood = 0.0
    var shortBad = 0.0

    mutating func add(seconds: Double, isGood: Bool, longSeconds: Double) {
        switch (seconds >= longSeconds, isGood) {
        case (true, true): longGood += seconds
        case (true, false): longBad += seconds
        case (false, true): shortGood += seconds
        case (false, false): shortBad += seconds
        }
    }

    var isEmpty: Bool { longGood + longBad + shortGood + shortBad == 0 }

    /// Classifies the load. Short good trials only outweigh short bad ones; what is left of the
    /// short bad trials counts as bad time.
    func loadClass(exceedRatio: Double, sumSeconds: Double) -> LoadClass {
        guard !isEmpty else { return .undecided }
        let balancing = shortGood * exceedRatio / (1 - exceedRatio)
        let bad = longBad + max(0, shortBad - balancing)
        let measured = longGood + bad
        let whole = max(measured, sumSeconds)
        let missing = max(0, sumSeconds - measured)
        if bad / whole > exceedRatio + Self.tolerance { return .upperBound }
        if (bad + missing) / whole <= exceedRatio + Self.tolerance { return .lowerBound }
        return .undecided
    }
}
