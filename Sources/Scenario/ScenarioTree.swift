import SimulationKernel
import Yams

/// A scenario as the tree of its checked values, in which keys are changed by their paths.
///
/// The changed tree is read again like a file, so every rule of the language holds for it, and
/// every key can be changed.
package struct ScenarioTree: Sendable {
    private var root: ResolvedObject
    /// File name in the faults of the changed scenario.
    private let file: String
    /// Folder to which file names in the scenario are relative.
    private let folder: String

    init(root: ResolvedObject, file: String, folder: String) {
        (self.root, self.file, self.folder) = (root, file, folder)
    }

    /// - Parameters:
    ///   - file: File name in the faults of the changed scenario.
    ///   - folder: Folder to which file names in the scenario are relative.
    /// - Throws: The faults of the scenario's canonical form, which has none unless a file that it
    ///   names has changed.
    package init(
        _ scenario: TrialScenario, file: String, folder: String
    ) throws(ScenarioErrors) {
        var reader = ScenarioReader(file: file, folder: folder)
        guard let node = ScenarioText.node(scenario.canonicalYAML, &reader),
            let root = reader.read(node, TrialScenario.spec), reader.diagnostics.isEmpty
        else { throw reader.errors }
        self.init(root: root, file: file, folder: folder)
    }

    /// Reads the changed tree as a scenario.
    ///
    /// - Throws: Every fault. Their lines are those of the canonical form of the changed scenario.
    package func scenario() throws(ScenarioErrors) -> TrialScenario {
        try TrialScenario.parse(root.yaml(indent: 0), file: file, folder: folder)
    }

    // MARK: Changes

    /// Gives a key another value. A path without an index means every entry of a list; a `count` is
    /// shared by the entries in the ratio of their counts, and each gets at least 1.
    ///
    /// - Throws: `InputFault` if the path names no key, or the key takes no such value.
    package mutating func set(_ path: String, to value: SearchedValue) throws(InputFault) {
        guard let steps = ScenarioPath(path)?.steps else {
            throw InputFault(message: "'\(path)' is not \(TextRule.keyPath.hint)")
        }
        if steps.first?.key == TrialScenario.key(\.search) {
            throw InputFault(message: "a search cannot vary its own settings ('\(path)')")
        }
        let places = try ScenarioPlace.all(
            ResolvedValue.object(root), ValueSpec.object(TrialScenario.spec), steps[...], after: [])
        let values = try Self.values(value, for: places, path: path)
        for (place, value) in zip(places, values) {
            let changed = ScenarioPlace.replacing(
                ResolvedValue.object(root), ValueSpec.object(TrialScenario.spec), place.steps[...],
                by: value)
            if case .object(let mapping) = changed { root = mapping }
        }
    }

    /// The new value of each place.
    private static func values(
        _ value: SearchedValue, for places: [ScenarioPlace], path: String
    ) throws(InputFault) -> [ResolvedValue] {
        var values = [SearchedValue](repeating: value, count: places.count)
        if places.count > 1, places[0].steps.last?.key == "count", case .number(let load) = value {
            guard load >= places.count else {
                throw InputFault(
                    message: "\(path) has \(places.count) entries, so it must be at least "
                        + "\(places.count), not \(load); give one of them an index, such as [0]")
            }
            let counts = places.map { place in
                if case .integer(let count)? = place.value { max(1, count) } else { 1 }
            }
            values = shares(of: load, in: counts).map { .number($0) }
        }
        var result: [ResolvedValue] = []
        for (place, value) in zip(places, values) {
            guard let resolved = place.spec.value(value) else {
                throw InputFault(
                    message: "\(ScenarioPath.text(place.steps)) is \(place.spec.hint), "
                        + "not '\(value.words)'")
            }
            result.append(resolved)
        }
        return result
    }

    /// Shares a load in the ratio of counts; each share is at least 1, and the sum is the load.
    static func shares(of load: Int, in counts: [Int]) -> [Int] {
        let total = counts.reduce(0.0) { $0 + Double($1) }
        let spare = Double(load - counts.count)
        // One for each entry is set aside, and the remainder is shared by the largest fractions.
        let ideal = counts.map { spare * Double($0) / total }
        var shares = ideal.map { 1 + Int($0) }
        let left = max(0, load - shares.reduce(0, +))
        let order = ideal.indices.sorted { a, b in
            let (x, y) = (ideal[a] - ideal[a].rounded(.down), ideal[b] - ideal[b].rounded(.down))
            return x == y ? a < b : x > y
        }
        for place in order.prefix(left) { shares[place] += 1 }
        return shares
    }

    package mutating func setDuration(_ duration: Duration) {
        let nanoseconds = Double(max(1, duration.nanoseconds))
        put(TrialScenario.key(\.duration), .quantity(.duration, nanoseconds))
    }

    package mutating func setThresholds(_ thresholds: [Threshold]) {
        put(TrialScenario.key(\.thresholds), .object(Self.mapping(of: thresholds)))
    }

    /// Thresholds as a scenario has them: a list of expressions for each selector.
    static func mapping(of thresholds: [Threshold]) -> ResolvedObject {
        var mapping = ResolvedObject()
        for threshold in thresholds where mapping[threshold.selector] == nil {
            let expressions = thresholds.filter { $0.selector == threshold.selector }.map {
                ResolvedValue.text($0.expression)
            }
            mapping.values.append((threshold.selector, .list(expressions)))
        }
        return mapping
    }

    /// Removes the settings of the search, which a single trial does not need.
    package mutating func removeSearch() {
        root.values.removeAll { $0.key == TrialScenario.key(\.search) }
    }

    /// Replaces the stack by another one with its defaults. Only the size of its chunks stays,
    /// because the generators read them.
    private mutating func replaceStack(by driver: String) {
        let key = TrialScenario.key(\.stack)
        let size = StackSettings.key(\.outChunkSize)
        var stack = ResolvedObject()
        stack.put(StackSettings.key(\.driver), .text(driver), in: StackSettings.spec)
        if case .object(let present)? = root[key], let bytes = present[size] {
            stack.put(size, bytes, in: StackSettings.spec)
        }
        put(key, .object(stack))
    }

    private mutating func put(_ key: String, _ value: ResolvedValue) {
        root.put(key, value, in: TrialScenario.spec)
    }

    /// The settings of the search; empty if there are none.
    var searchMapping: ResolvedObject {
        guard case .object(let present)? = root[TrialScenario.key(\.search)] else {
            return ResolvedObject()
        }
        return present
    }

    /// The load that a key has: a number, a bit rate, or the sum of the counts that share a load.
    ///
    /// - Returns: The load, and the least one that can be shared; nil if the scenario does not have
    ///   the key, or if it holds something else.
    /// - Throws: `InputFault` if the path names no key.
    func load(of path: String) throws(InputFault) -> (load: SearchedValue, least: Int)? {
        guard let steps = ScenarioPath(path)?.steps else {
            throw InputFault(message: "'\(path)' is not \(TextRule.keyPath.hint)")
        }
        let places = try ScenarioPlace.all(
            ResolvedValue.object(root), ValueSpec.object(TrialScenario.spec), steps[...], after: [])
        var numbers: [Int] = []
        for place in places {
            switch place.value {
            case .integer(let number)?: numbers.append(number)
            case .quantity(.bitrate, let rate)?:
                return (.bitrate(Int(max(1, min(rate, Quantity.bitrate.maximum)))), 1)
            default: return nil
            }
        }
        guard let first = numbers.first else { return nil }
        let isShared = places.count > 1 && places[0].steps.last?.key == "count"
        let sum = isShared ? numbers.reduce(0.0) { $0 + Double($1) } : Double(first)
        let load = Int(max(1, min(sum, Double(SearchedValue.maximum))))
        return (.number(load), isShared ? places.count : 1)
    }

    /// Changes one setting of the search.
    mutating func putSearch(_ key: String, _ value: ResolvedValue) {
        var mapping = ResolvedObject()
        if case .object(let present)? = root[TrialScenario.key(\.search)] { mapping = present }
        mapping.put(key, value, in: SearchSettings.spec)
        put(TrialScenario.key(\.search), .object(mapping))
    }
}

extension ScenarioTree {
    /// The scenario of one trial of a search.
    ///
    /// - Parameters:
    ///   - swept: Value of the swept key; nil = there is no sweep.
    ///   - duration: The steady window.
    ///   - thresholds: Thresholds of all goals.
    ///   - driver: Driver whose stack with its defaults takes the place of the scenario's; nil = the
    ///     scenario's stack.
    /// - Throws: `InputFault` or `ScenarioErrors`.
    package func trial(
        of search: SearchSettings, load: SearchedValue, swept: SearchedValue?,
        duration: Duration, thresholds: [Threshold], driver: String? = nil
    ) throws -> TrialScenario {
        var tree = self
        tree.removeSearch()
        tree.setThresholds(thresholds)
        tree.setDuration(duration)
        if let sweep = search.sweep, let swept { try tree.set(sweep.vary, to: swept) }
        try tree.set(search.vary, to: load)
        if let driver { tree.replaceStack(by: driver) }
        return try tree.scenario()
    }
}
