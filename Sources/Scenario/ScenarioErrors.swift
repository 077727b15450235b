/// One fault of a scenario file, with its place.
package struct ScenarioDiagnostic: Error, Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// Counted from 1; 0 where the fault has no place (an unreadable file).
    package var line: Int
    /// Counted from 1, in Unicode scalars.
    package var column: Int
    /// What is wrong and how to mend it.
    package var message: String

    package var description: String {
        line == 0 ? "\(file): \(message)" : "\(file):\(line):\(column): \(message)"
    }
}

/// Every fault found in a scenario, in the order of the file.
package struct ScenarioErrors: Error, Sendable, CustomStringConvertible {
    package var diagnostics: [ScenarioDiagnostic]

    package var description: String {
        diagnostics.map(\.description).joined(separator: "\n")
    }
}
