import SimulationKernel

/// What a search does if the scenario has no settings for one, and the options do not say all.
extension ScenarioTree {
    /// A search goes up to this multiple of the scenario's own number.
    private static let numberFactor = 100
    /// A search goes down and up by this factor from the scenario's own bit rate.
    private static let bitrateFactor = 10

    /// Fills in what is missing of the settings of a search: the key is the number of viewers or,
    /// without viewers, that of streams; the loads begin with the scenario's own, and go from the
    /// least to a hundred times the own one, as far as the scenario's rules allow.
    ///
    /// If the scenario's thresholds are the goals, those that need a capture are left out, and
    /// nothing is captured, unless there are no others or the scenario insists on its capture: at
    /// high loads a capture loses packets, and such trials would be void.
    ///
    /// - Parameter scenario: The scenario of this tree.
    /// - Returns: Notes on what was left out.
    /// - Throws: `InputFault` if the key has no load from which the range could be derived.
    package mutating func completeSearch(
        of scenario: TrialScenario
    ) throws(InputFault) -> [String] {
        let present = searchMapping
        var path = scenario.viewers.isEmpty ? "streams.count" : "viewers.count"
        switch present[SearchSettings.key(\.vary)] {
        case nil: putSearch(SearchSettings.key(\.vary), .text(path))
        case .text(let given)?: path = given
        default: return []  // The reader of the settings reports this.
        }
        try completeLoads(of: path, present)
        guard present[SearchSettings.key(\.goals)] == nil else { return [] }
        return leaveOutCapture(of: scenario)
    }

    private mutating func completeLoads(
        of path: String, _ present: ResolvedObject
    ) throws(InputFault) {
        let (from, to) = (SearchSettings.key(\.from), SearchSettings.key(\.to))
        let start = SearchSettings.key(\.start)
        guard present[from] == nil || present[to] == nil else { return }
        guard let own = try self.load(of: path), let number = own.load.load else {
            throw InputFault(
                message: "the scenario has no number and no bit rate at '\(path)' from which the "
                    + "range of loads could be derived; give --from and --to")
        }
        if present[from] == nil, present[to] == nil, present[start] == nil {
            putSearch(start, Self.resolved(own.load))
        }
        if present[from] == nil {
            var least = own.load.isBitrate ? max(1, number / Self.bitrateFactor) : own.least
            while least < number, !canHave(path, own.load.with(load: least)) {
                least = min(number, least * 2)
            }
            putSearch(from, Self.resolved(own.load.with(load: least)))
        }
        if present[to] == nil {
            var most =
                own.load.isBitrate
                ? min(Int(Quantity.bitrate.maximum), number * Self.bitrateFactor)
                : min(SearchedValue.maximum, number * Self.numberFactor)
            while most > number, !canHave(path, own.load.with(load: most)) {
                most = max(number, most / 2)
            }
            putSearch(to, Self.resolved(own.load.with(load: most)))
        }
    }

    /// Whether the scenario is valid with this value.
    private func canHave(_ path: String, _ value: SearchedValue) -> Bool {
        var other = self
        other.removeSearch()
        guard (try? other.set(path, to: value)) != nil else { return false }
        return (try? other.scenario()) != nil
    }

    private static func resolved(_ load: SearchedValue) -> ResolvedValue {
        switch load {
        case .number(let number): .integer(number)
        case .bitrate(let bitsPerSecond): .quantity(.bitrate, Double(bitsPerSecond))
        case .text(let text): .text(text)
        }
    }

    private mutating func leaveOutCapture(of scenario: TrialScenario) -> [String] {
        let kept = scenario.thresholds.filter { !$0.needsCapture }
        guard scenario.capture.mode == .auto, !kept.isEmpty else { return [] }
        var other = self
        var goal = ResolvedObject()
        let spec = SearchGoalSettings.spec
        goal.put(SearchGoalSettings.key(\.name), .text("thresholds"), in: spec)
        goal.put(
            SearchGoalSettings.key(\.thresholds), .object(Self.mapping(of: kept)), in: spec)
        other.putSearch(SearchSettings.key(\.goals), .list([.object(goal)]))
        other.setThresholds(kept)
        // A scenario may need its capture for something else.
        guard (try? other.set("capture.enabled", to: .text("false"))) != nil,
            (try? other.scenario()) != nil
        else { return [] }
        self = other
        let left = scenario.thresholds.filter(\.needsCapture).map {
            "\($0.selector) \($0.expression)"
        }
        let why = "nothing is captured, because captures lose packets at high loads"
        guard !left.isEmpty else { return [why] }
        return [
            "\(why); thresholds that need a capture are no goals of this search: "
                + "\(left.joined(separator: ", ")) (--goal names other goals)"
        ]
    }
}

extension Threshold {
    /// Whether only a capture has the figure.
    fileprivate var needsCapture: Bool {
        let metrics: [Metric] = [
            .wireKilobits, .retransmittedBytes, .encoderDelayMilliseconds, .stampsFound,
        ]
        return tags["vantage"] == "wire" || metrics.contains(metric)
    }
}
