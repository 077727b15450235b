package import Scenario
import Yams

/// Kind of a scenario file.
package enum ScenarioKind: String, CaseIterable, Sendable {
    /// A load test with sockets and packets. Its files have no key `kind`.
    case trial
    case simulation, ladder

    /// Command that accepts files of this kind.
    package var command: String {
        switch self {
        case .trial: "run"
        case .simulation: "simulate"
        case .ladder: "ladder"
        }
    }

    /// Returns the kind of a file; nil if the file does not say it or cannot be read.
    package static func of(path: String) -> ScenarioKind? {
        guard let text = try? ScenarioText.text(path), let node = try? Yams.compose(yaml: text),
            let mapping = node.mapping
        else { return nil }
        if let name = mapping[ScenarioText.kindKey]?.string { return ScenarioKind(rawValue: name) }
        let ofTrials = [TrialScenario.key(\.stack), TrialScenario.key(\.streams)]
        return ofTrials.contains { mapping[$0] != nil } ? .trial : nil
    }

    /// Reads and checks a file of this kind.
    /// - Throws: Every fault that was found, each with file, line and column.
    package func load(path: String) throws(ScenarioErrors) -> any ScenarioFile {
        switch self {
        case .trial: return try TrialScenario.load(path: path)
        case .simulation: return try SimulationScenario.load(path: path)
        case .ladder: return try LadderScenario.load(path: path)
        }
    }
}

extension ScenarioKind {
    /// JSON Schema draft-07 for files of this kind.
    package var schema: String {
        switch self {
        case .trial: TrialScenario.schema
        case .simulation: Self.schema("Millrace simulation, version 1", SimulationScenario.spec)
        case .ladder: Self.schema("Millrace ladder problem, version 1", LadderScenario.spec)
        }
    }

    private static func schema(_ title: String, _ spec: ObjectSpec) -> String {
        let head: [(String, SchemaValue)] = [
            ("$schema", .string("http://json-schema.org/draft-07/schema#")),
            ("title", .string(title)),
        ]
        return SchemaValue.object(head + ScenarioSchema.object(spec)).text(indent: 0) + "\n"
    }
}
