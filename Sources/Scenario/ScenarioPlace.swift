import SimulationKernel

/// One value of a scenario's tree that a path names.
struct ScenarioPlace {
    /// The way to the value; a step into a list has an index.
    var steps: [ScenarioPath.Step]
    var spec: ValueSpec
    /// The value; nil if the scenario does not have the key.
    var value: ResolvedValue?

    /// Returns every value that a path names.
    ///
    /// - Parameters:
    ///   - steps: What is left of the path.
    ///   - before: The steps that lead to `value`.
    /// - Throws: `InputFault` that says which step names nothing, with the nearest valid path.
    static func all(
        _ value: ResolvedValue?, _ spec: ValueSpec, _ steps: ArraySlice<ScenarioPath.Step>,
        after before: [ScenarioPath.Step]
    ) throws(InputFault) -> [ScenarioPlace] {
        guard let step = steps.first else {
            return [ScenarioPlace(steps: before, spec: spec, value: value)]
        }
        switch spec {
        case .object(let object):
            guard let field = object.fields.first(where: { $0.key == step.key }) else {
                throw unknown(steps, after: before, keys: object.fields.map(\.key))
            }
            var child: ResolvedValue?
            if case .object(let mapping)? = value { child = mapping[step.key] }
            return try entries(child, field.value, steps, after: before)
        case .either(let alternatives):
            guard let inner = chosen(among: alternatives, for: value) else {
                throw InputFault(
                    message: "\(ScenarioPath.text(before)) is not written out in the scenario, so "
                        + "it has no key '\(step.key)'; write it as \(spec.hint)")
            }
            return try all(value, inner, steps, after: before)
        default:
            throw InputFault(message: "\(ScenarioPath.text(before)) has no keys")
        }
    }

    /// The values behind the first step, which is known to be a key with this value.
    private static func entries(
        _ child: ResolvedValue?, _ spec: ValueSpec, _ steps: ArraySlice<ScenarioPath.Step>,
        after before: [ScenarioPath.Step]
    ) throws(InputFault) -> [ScenarioPlace] {
        guard let step = steps.first else { return [] }
        let here = ScenarioPath.text(before + [.init(key: step.key, index: nil)])
        let rest = steps.dropFirst()
        if case .either(let alternatives) = spec {
            if let inner = chosen(among: alternatives, for: child) {
                return try entries(child, inner, steps, after: before)
            }
            guard alternatives.contains(where: \.hasParts) || step.index != nil || rest.isEmpty
            else {
                throw InputFault(message: "\(here) has no keys")
            }
            guard rest.isEmpty, step.index == nil else {
                throw InputFault(
                    message: "\(here) is not written out in the scenario; write it as a list or a "
                        + "mapping to vary a part of it")
            }
        }
        guard case .list(let item, _) = spec else {
            guard step.index == nil else {
                throw InputFault(message: "\(here) is no list, so it takes no index")
            }
            return try all(child, spec, rest, after: before + [step])
        }
        guard case .list(let items)? = child, !items.isEmpty else {
            throw InputFault(message: "\(here) has no entries in the scenario")
        }
        guard !rest.isEmpty else {
            throw InputFault(
                message: "\(here) is a list; name a key of its entries, such as \(here).count")
        }
        if let index = step.index, !items.indices.contains(index) {
            throw InputFault(
                message: "there is no \(here)[\(index)]; the last entry is "
                    + "\(here)[\(items.count - 1)]")
        }
        var places: [ScenarioPlace] = []
        for index in items.indices where index == step.index ?? index {
            let place = ScenarioPath.Step(
                key: step.key, index: index, isIndexGiven: step.index != nil)
            places += try all(items[index], item, rest, after: before + [place])
        }
        return places
    }

    private static func unknown(
        _ steps: ArraySlice<ScenarioPath.Step>, after before: [ScenarioPath.Step], keys: [String]
    ) -> InputFault {
        let path = ScenarioPath.text(before + steps)
        let name = steps.first?.key ?? ""
        guard let nearest = NameDistance.nearest(to: name, among: keys) else {
            let place = before.isEmpty ? "the scenario" : ScenarioPath.text(before)
            return InputFault(
                message: "there is no key '\(path)'; keys of \(place): "
                    + keys.joined(separator: ", "))
        }
        let step = ScenarioPath.Step(key: nearest, index: steps.first?.index)
        let mended = ScenarioPath.text(before + [step] + steps.dropFirst())
        return InputFault(message: "there is no key '\(path)'; did you mean '\(mended)'?")
    }

    /// The alternative with keys or entries that a value has; for a missing value, the first that
    /// has keys.
    private static func chosen(
        among alternatives: [ValueSpec], for value: ResolvedValue?
    ) -> ValueSpec? {
        alternatives.first { alternative in
            switch (value, alternative) {
            case (.object?, .object), (.list?, .list), (nil, .object): true
            default: false
            }
        }
    }

    /// Returns a tree in which one value is another; a mapping on the way that is not there is
    /// made.
    ///
    /// - Parameter steps: Way to the value, with the indices of lists.
    static func replacing(
        _ value: ResolvedValue?, _ spec: ValueSpec, _ steps: ArraySlice<ScenarioPath.Step>,
        by new: ResolvedValue
    ) -> ResolvedValue {
        guard let step = steps.first else { return new }
        if case .either(let alternatives) = spec {
            guard let inner = chosen(among: alternatives, for: value) else { return value ?? new }
            return replacing(value, inner, steps, by: new)
        }
        guard case .object(let object) = spec,
            let field = object.fields.first(where: { $0.key == step.key })
        else { return value ?? new }
        var mapping = ResolvedObject()
        if case .object(let present)? = value { mapping = present }
        let child = mapping[step.key]
        let rest = steps.dropFirst()
        if let index = step.index {
            guard case .list(var items)? = child, items.indices.contains(index),
                let item = field.value.entrySpec
            else { return value ?? new }
            items[index] = replacing(items[index], item, rest, by: new)
            mapping.put(step.key, .list(items), in: object)
        } else {
            mapping.put(step.key, replacing(child, field.value, rest, by: new), in: object)
        }
        return .object(mapping)
    }
}

extension ValueSpec {
    /// Whether values of this kind have keys or entries.
    fileprivate var hasParts: Bool {
        switch self {
        case .object, .list, .map: true
        case .either(let alternatives): alternatives.contains(where: \.hasParts)
        default: false
        }
    }

    /// Specification of the entries of a list; nil if no alternative is a list.
    fileprivate var entrySpec: ValueSpec? {
        switch self {
        case .list(let item, _): item
        case .either(let alternatives): alternatives.lazy.compactMap(\.entrySpec).first
        default: nil
        }
    }

    /// A value of a search as a value of this kind; nil if the kind takes no such value. Ranges
    /// are checked when the scenario is read again.
    func value(_ value: SearchedValue) -> ResolvedValue? {
        switch (self, value) {
        case (.integer, .number(let number)): .integer(number)
        case (.quantity(.bitrate, _), .bitrate(let rate)): .quantity(.bitrate, Double(rate))
        case (.quantity(let quantity, _), .text(let text)):
            quantity.parse(text).map { .quantity(quantity, $0) }
        case (.boolean, .text("true")): .boolean(true)
        case (.boolean, .text("false")): .boolean(false)
        case (.choice, .text(let text)), (.text, .text(let text)): .text(text)
        case (.either(let alternatives), _):
            alternatives.lazy.compactMap { $0.value(value) }.first
        default: nil
        }
    }
}
