import SimulationKernel

/// A value that a search puts into a scenario: a load, or a value of a sweep.
package enum SearchedValue: Codable, Hashable, Sendable {
    case number(Int)
    /// A bit rate in bits per second.
    case bitrate(Int)
    /// A name, such as that of a driver, or a quantity with its unit.
    case text(String)

    /// The largest number that a search may vary or sweep.
    package static let maximum = 1_000_000_000

    /// The value as a load; nil for text.
    package var load: Int? {
        switch self {
        case .number(let number): number
        case .bitrate(let bitsPerSecond): bitsPerSecond
        case .text: nil
        }
    }

    package var isBitrate: Bool { if case .bitrate = self { true } else { false } }

    /// The value as a scenario has it, such as `240`, `2Mbps` or `embedded`.
    package var words: String {
        switch self {
        case .number(let number): "\(number)"
        case .bitrate(let bitsPerSecond):
            Bitrate(bitsPerSecond: max(0, bitsPerSecond)).description
        case .text(let text): text
        }
    }

    /// A load of the same kind.
    package func with(load: Int) -> SearchedValue { isBitrate ? .bitrate(load) : .number(load) }
}

extension ValueKind where Value == SearchedValue {
    /// A whole number or a bit rate.
    static var searchedLoad: ValueKind<SearchedValue> {
        let number: ValueKind<SearchedValue> = ValueKind<Int>
            .integer(1...SearchedValue.maximum).map(
                { SearchedValue.number($0) },
                back: { if case .number(let number) = $0 { number } else { nil } })
        let rate: ValueKind<SearchedValue> = ValueKind<Bitrate>.bitrate().map(
            { SearchedValue.bitrate($0.bitsPerSecond) },
            back: { value in
                guard case .bitrate(let rate) = value, rate >= 0 else { return nil }
                return Bitrate(bitsPerSecond: rate)
            })
        return .either(number, rate)
    }

    /// A whole number, a name or a quantity.
    static var sweptValue: ValueKind<SearchedValue> {
        let number: ValueKind<SearchedValue> = ValueKind<Int>
            .integer(0...SearchedValue.maximum).map(
                { SearchedValue.number($0) },
                back: { if case .number(let number) = $0 { number } else { nil } })
        let text: ValueKind<SearchedValue> = ValueKind<String>.text(.nonEmpty).map(
            { SearchedValue.text($0) },
            back: { if case .text(let text) = $0 { text } else { nil } })
        return .either(number, text)
    }
}

extension TextRule {
    /// The path of a key, such as `viewers[1].count`.
    static let keyPath = TextRule(
        hint: "the path of a key, such as viewers.count or stack.threads",
        pattern: "^[a-z_0-9]+(\\[[0-9]{1,4}\\])?(\\.[a-z_0-9]+(\\[[0-9]{1,4}\\])?)*$"
    ) { ScenarioPath($0) != nil }
}

/// How `millrace search` looks for the largest load that a scenario's server carries.
package struct SearchSettings: ScenarioMapping, Codable, Hashable {
    /// Path of the key that holds the load.
    package var vary = ""
    package var from = SearchedValue.number(1)
    package var to = SearchedValue.number(1)
    /// First load; nil = `from`.
    package var start: SearchedValue?
    /// Largest distance of the bounds, as a share of the upper one, 0…1.
    package var width = 0.05
    /// Goals; empty = the thresholds of the scenario are the only goal.
    package var goals: [SearchGoalSettings] = []
    /// Steady window of a first trial at a load.
    package var trial = Duration.seconds(3)
    /// Steady window of a trial that confirms a bound.
    package var finalTrial = Duration.seconds(8)
    /// Time for which a load is measured before it is a bound (RFC 9971, duration sum).
    package var sum = Duration.seconds(16)
    /// Time that one search may take; a sweep has one search for each value and repeat.
    package var budget = Duration.seconds(600)
    /// Whether the generators are measured without the server under test.
    package var calibrates = true
    /// Values of another key, each of which is searched; nil = the scenario's own.
    package var sweep: SearchSweep?
    /// Number of searches for each value.
    package var repeats = 1

    package init() {}
    package static let fields: [Field<SearchSettings>] = [
        .required(
            "vary", \.vary, .text(.keyPath),
            "The key that holds the load: a whole number or a bit rate. A count without an index "
                + "is shared by the entries of its list in the ratio of the file's."),
        .required("from", \.from, .searchedLoad, "Smallest load."),
        .required("to", \.to, .searchedLoad, "Largest load."),
        .optional("start", \.start, .searchedLoad, "First load; default: from."),
        .standard("width", \.width, .share(), "Largest distance of the bounds."),
        .standard(
            "goals", \.goals, .list(.mapping, minimum: 0),
            "What a load must hold; without them, the scenario's thresholds."),
        .standard("trial", \.trial, .duration(), "Steady window of a first trial."),
        .standard("final", \.finalTrial, .duration(), "Steady window of a confirming trial."),
        .standard("sum", \.sum, .duration(), "Measured time that makes a load a bound."),
        .standard("budget", \.budget, .duration(), "Time for each search."),
        .standard(
            "calibrate", \.calibrates, .boolean,
            "Measure the generators without the server under test."),
        .optional("sweep", \.sweep, .mapping, "A search for each value of another key."),
        .standard("repeats", \.repeats, .integer(1...100), "Searches for each value."),
    ]

    /// The first load.
    package var firstLoad: SearchedValue { start ?? from }
}

/// One goal of a search: thresholds that a trial must hold, and how often it may fail.
package struct SearchGoalSettings: ScenarioMapping, Codable, Hashable {
    package var name = ""
    package var thresholds: [Threshold] = []
    /// Share of the measured time in which the thresholds may fail, 0 to less than 1.
    package var exceedRatio = 0.5

    package init() {}

    init(name: String, thresholds: [Threshold]) {
        (self.name, self.thresholds) = (name, thresholds)
    }

    package static let fields: [Field<SearchGoalSettings>] = [
        .required("name", \.name, .text(.name), "Name of the goal."),
        .required(
            "thresholds", \.thresholds, .thresholds, "What must hold, as the scenario's own."),
        .standard(
            "exceed", \.exceedRatio, .share(), "Share of the measured time that may be bad."),
    ]
}

/// Values of a key, for each of which a search looks for the capacity.
package struct SearchSweep: ScenarioMapping, Codable, Hashable {
    /// Path of the key.
    package var vary = ""
    package var values: [SearchedValue] = []

    package init() {}
    package static let fields: [Field<SearchSweep>] = [
        .required(
            "vary", \.vary, .text(.keyPath), "The key, such as stack.threads or stack.driver."),
        .required("values", \.values, .list(.sweptValue), "Its values."),
    ]
}

extension TrialScenario {
    /// The goals of a search of this scenario; empty if it has neither goals nor thresholds.
    package var searchGoals: [SearchGoalSettings] {
        guard let goals = search?.goals, !goals.isEmpty else {
            return thresholds.isEmpty
                ? [] : [SearchGoalSettings(name: "thresholds", thresholds: thresholds)]
        }
        return goals
    }

    /// Every threshold of every goal once, in the order of the goals.
    package var searchThresholds: [Threshold] {
        var seen: Set<Threshold> = []
        return searchGoals.flatMap(\.thresholds).filter { seen.insert($0).inserted }
    }
}
