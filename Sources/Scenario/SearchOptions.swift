/// Settings of a search that replace the scenario's own, as texts of the command line.
package struct SearchOptions: Sendable, Hashable {
    package var vary: String?
    package var from: String?
    package var to: String?
    package var start: String?
    package var width: String?
    package var trial: String?
    package var finalTrial: String?
    package var sum: String?
    package var budget: String?
    /// Goals such as `delay_ms=p(99)<50`.
    package var goals: [String] = []
    /// A sweep such as `stack.threads=1,2,4`.
    package var sweep: String?
    package var repeats: Int?
    package var calibrates: Bool?

    package init() {}

    package var isEmpty: Bool { self == SearchOptions() }
}

extension ScenarioTree {
    /// Changes the settings of the search. Their values are checked when the scenario is read
    /// again.
    ///
    /// - Throws: `InputFault` if a text has not the form of its option.
    package mutating func apply(_ options: SearchOptions) throws(InputFault) {
        let texts: [(String, String?)] = [
            (SearchSettings.key(\.vary), options.vary), (SearchSettings.key(\.from), options.from),
            (SearchSettings.key(\.to), options.to), (SearchSettings.key(\.start), options.start),
            (SearchSettings.key(\.width), options.width),
            (SearchSettings.key(\.trial), options.trial),
            (SearchSettings.key(\.finalTrial), options.finalTrial),
            (SearchSettings.key(\.sum), options.sum),
            (SearchSettings.key(\.budget), options.budget),
        ]
        for (key, text) in texts {
            if let text { putSearch(key, ResolvedValue(argument: text)) }
        }
        if let repeats = options.repeats {
            putSearch(SearchSettings.key(\.repeats), .integer(repeats))
        }
        if let calibrates = options.calibrates {
            putSearch(SearchSettings.key(\.calibrates), .boolean(calibrates))
        }
        if let sweep = options.sweep { try apply(sweep: sweep) }
        if !options.goals.isEmpty { try apply(goals: options.goals) }
    }

    private mutating func apply(sweep: String) throws(InputFault) {
        let parts = sweep.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else {
            throw InputFault(
                message: "--sweep is KEY=VALUE,VALUE,…, such as stack.threads=1,2,4, "
                    + "not '\(sweep)'")
        }
        let values = parts[1].split(separator: ",").map { text in
            let text = String(text)
            return Int(text).map { ResolvedValue.integer($0) } ?? .text(text)
        }
        var mapping = ResolvedObject()
        mapping.put(
            SearchSweep.key(\.vary), .text(String(parts[0])), in: SearchSweep.spec)
        mapping.put(SearchSweep.key(\.values), .list(values), in: SearchSweep.spec)
        putSearch(SearchSettings.key(\.sweep), .object(mapping))
    }

    private mutating func apply(goals: [String]) throws(InputFault) {
        var entries: [ResolvedValue] = []
        var names: Set<String> = []
        for goal in goals {
            let parts = goal.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw InputFault(
                    message: "--goal is METRIC=EXPRESSION, such as 'delay_ms=p(99)<50', "
                        + "not '\(goal)'")
            }
            let metric = parts[0].prefix { $0 != "{" && $0 != " " }.replacing("_", with: "-")
            var name = String(metric.prefix(60))
            var number = 2
            while names.contains(name), number <= goals.count {
                name = "\(metric.prefix(58))-\(number)"
                number += 1
            }
            names.insert(name)
            var thresholds = ResolvedObject()
            thresholds.values.append((String(parts[0]), .list([.text(String(parts[1]))])))
            var mapping = ResolvedObject()
            let spec = SearchGoalSettings.spec
            mapping.put(SearchGoalSettings.key(\.name), .text(name), in: spec)
            mapping.put(SearchGoalSettings.key(\.thresholds), .object(thresholds), in: spec)
            entries.append(.object(mapping))
        }
        putSearch(SearchSettings.key(\.goals), .list(entries))
    }
}

extension ResolvedValue {
    /// Reads a text of the command line as YAML would: a whole number, a quantity or a word.
    init(argument text: String) {
        if let number = Int(text) {
            self = .integer(number)
            return
        }
        for quantity in Quantity.allCases {
            guard let value = quantity.parse(text), value <= quantity.maximum else { continue }
            self = .quantity(quantity, value)
            return
        }
        self = .text(text)
    }
}
