import Yams

/// What a scenario file is for.
public enum ScenarioKind: String, CaseIterable, Sendable {
    /// Sockets and packets; has no key `kind`.
    case trial
    case simulation, ladder

    /// The command that takes it.
    public var command: String {
        switch self {
        case .trial: "run"
        case .simulation: "simulate"
        case .ladder: "ladder"
        }
    }

    /// The kind that a file is; nil where it does not say, or cannot be read.
    public static func of(path: String) -> ScenarioKind? {
        guard let text = try? SpecFile.text(path), let node = try? Yams.compose(yaml: text),
            let mapping = node.mapping
        else { return nil }
        if let name = mapping["kind"]?.string { return ScenarioKind(rawValue: name) }
        return mapping["stack"] != nil || mapping["streams"] != nil ? .trial : nil
    }

    /// Checks a file of this kind.
    /// - Returns: its canonical YAML, defaults filled in.
    public func resolve(path: String) throws(ScenarioErrors) -> String {
        switch self {
        case .trial: try Scenario.load(path: path).canonicalYAML
        case .simulation: try SimulationScenario.load(path: path).canonicalYAML
        case .ladder: try LadderScenario.load(path: path).canonicalYAML
        }
    }

    /// SHA-256 of the canonical YAML.
    public static func hash(_ canonicalYAML: String) -> String {
        ContentHash.text(Array(canonicalYAML.utf8))
    }
}
