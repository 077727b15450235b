package import Scenario

/// A setting or a program that a comparison cannot use; the text says why and how to mend it.
package struct ComparisonFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// The scenario that the runs of one side get.
///
/// Without a changed key it is the file as it was given, so that a program of another version reads
/// it in its own way. With changed keys it is the whole scenario, written out.
package struct ComparisonScenario: Sendable {
    /// Path of the file that was given.
    package let path: String
    /// Text of the changed scenario; nil = the file is used as it is.
    package let text: String?
    /// Longest time that a run may take before it is ended.
    package let limit: Duration

    /// - Parameters:
    ///   - scenario: The scenario as it was read from `path`.
    ///   - folder: Folder to which file names in the scenario are relative.
    ///   - overrides: Texts of the form `key=value`.
    ///   - place: Folder into which the changed scenario will be written.
    /// - Throws: `InputFault` if a key does not exist or does not take the value,
    ///   `ScenarioErrors` if the changed scenario breaks a rule.
    package init(
        _ scenario: TrialScenario, path: String, folder: String, overrides: [String],
        place: String
    ) throws {
        self.path = path
        guard !overrides.isEmpty else {
            text = nil
            limit = Self.limit(scenario)
            return
        }
        let file = "\(path) with the changed keys"
        var tree = try ScenarioTree(scenario, file: file, folder: folder)
        tree.removeSearch()
        for override in overrides { try Self.apply(override, to: &tree) }
        let changed = try tree.scenario()
        do {
            _ = try TrialScenario.parse(changed.canonicalYAML, file: file, folder: place)
        } catch {
            throw InputFault(
                message: "\(path): the changed scenario is written into another folder, from "
                    + "which its relative file names find nothing; write them as absolute paths")
        }
        text = changed.canonicalYAML
        limit = Self.limit(changed)
    }

    private static func apply(
        _ override: String, to tree: inout ScenarioTree
    ) throws(InputFault) {
        let parts = override.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw InputFault(
                message: "'\(override)' is not KEY=VALUE, such as stack.threads=4")
        }
        let (key, value) = (String(parts[0]), String(parts[1]))
        guard let number = Int(value) else { return try tree.set(key, to: .text(value)) }
        do {
            try tree.set(key, to: .number(number))
        } catch {
            // A name may consist of digits. If it is no name either, the first error tells more.
            var other = tree
            guard (try? other.set(key, to: .text(value))) != nil else { throw error }
            tree = other
        }
    }

    /// Starting and writing take longer on a slow machine, but not for ever.
    private static func limit(_ scenario: TrialScenario) -> Duration {
        (scenario.warmup + scenario.duration + scenario.drain) * 2 + .seconds(120)
    }
}
