import Foundation
import Netem
import Results
import Yams

/// A scenario file of any kind in its decoded form.
package protocol ScenarioFile: ScenarioMapping {
    var name: String { get set }
    var description: String { get set }
    /// Seed of every random draw.
    var seed: UInt64 { get set }
    /// The file with every default filled in.
    var canonicalYAML: String { get set }

    /// Fills in values that depend on other keys, and reports faults that span several fields.
    /// - Parameter root: Mapping from which canonical YAML is written.
    mutating func complete(_ root: inout ResolvedObject, _ reader: inout ScenarioReader)
}

extension ScenarioFile {
    private static var seedField: Field<Self> {
        let kind = ValueKind<Int>.integer(0...Int(Int32.max))
        return .standard(
            "seed", \.seed, kind.map({ UInt64($0) }, back: { Int($0) }),
            "Seed of every random draw.")
    }

    /// Returns the keys that every file begins with.
    /// - Parameters:
    ///   - kind: Value of the key `kind`; nil = such files do not have the key.
    ///   - about: Text that documents the key `description`.
    package static func head(kind: String? = nil, description about: String) -> [Field<Self>] {
        var fields: [Field<Self>] = [
            .checked("version", .constant(1), "Version of the scenario language."),
            .required("name", \.name, .text(.name), "Short name, part of reports."),
            .standard("description", \.description, .text(.any), about),
            seedField,
        ]
        if let kind {
            let about = "Tells it from a scenario for 'millrace run'."
            fields.insert(.checked(ScenarioText.kindKey, .choice([kind]), about), at: 1)
        }
        return fields
    }

    /// Reads and checks a file.
    /// - Parameter seed: Seed that replaces the file's own.
    /// - Throws: Every fault that was found, each with file, line and column.
    package static func load(path: String, seed: Int? = nil) throws(ScenarioErrors) -> Self {
        try parse(try ScenarioText.text(path), file: path, seed: seed)
    }

    /// Checks the text of a file.
    /// - Parameters:
    ///   - file: File name in the reported faults.
    ///   - folder: Folder to which file names in the text are relative; nil = the folder of `file`.
    ///   - seed: Seed that replaces the file's own.
    package static func parse(
        _ text: String, file: String = "scenario", folder: String? = nil, seed: Int? = nil
    ) throws(ScenarioErrors) -> Self {
        var reader = ScenarioReader(file: file, folder: folder)
        guard let node = ScenarioText.node(text, &reader), var root = reader.read(node, spec),
            reader.diagnostics.isEmpty
        else { throw reader.errors }
        if let seed { root.put(seedField.key, .integer(seed), in: spec) }
        var drawn = Self()
        seedField.read(root, at: "", into: &drawn, &reader)
        reader.seed = drawn.seed
        var scenario = Self(root, at: "", &reader)
        scenario.complete(&root, &reader)
        guard reader.diagnostics.isEmpty else { throw reader.errors }
        scenario.canonicalYAML = root.yaml(indent: 0)
        return scenario
    }

    /// SHA-256 of the canonical resolved YAML, in lower-case hexadecimal.
    package var sha256: String { ContentDigest.sha256(canonicalYAML) }
}

package enum ScenarioText {
    /// Maximum size of a file in bytes.
    private static let maximumBytes = 1 << 20
    /// Key that distinguishes the kinds of files.
    package static let kindKey = "kind"

    package static func text(_ path: String) throws(ScenarioErrors) -> String {
        func fault(_ message: String) -> ScenarioErrors {
            ScenarioErrors(diagnostics: [.init(file: path, line: 0, column: 0, message: message)])
        }
        guard let bytes = try? TraceReader.contents(ofFile: path) else {
            let exists = FileManager.default.fileExists(atPath: path)
            throw fault(
                exists ? "cannot be read; give a readable YAML file" : "there is no such file")
        }
        guard bytes.count <= maximumBytes else {
            throw fault("is larger than \(maximumBytes) bytes; is it a scenario?")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault("is not UTF-8 text; is it a scenario?")
        }
        return text
    }

    static func node(_ text: String, _ reader: inout ScenarioReader) -> Node? {
        do {
            if let node = try Yams.compose(yaml: text) { return node }
            reader.report(nil, "the scenario is empty; begin with version: 1")
        } catch {
            YAMLFault.report(error, in: text, to: &reader)
        }
        return nil
    }
}
