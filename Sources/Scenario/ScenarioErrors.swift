/// One fault of a scenario file, with its position.
package struct ScenarioDiagnostic: Error, Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// Line, counted from 1; 0 if the fault has no position (an unreadable file).
    package var line: Int
    /// Column, counted from 1 in Unicode scalars.
    package var column: Int
    /// Description of the fault and its remedy.
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
