import Netem
import Yams

/// What reading scenarios of all kinds has in common.
package enum SpecFile {
    package static func text(_ path: String) throws(ScenarioErrors) -> String {
        do throws(TraceError) {
            let bytes = try TraceReader.contents(ofFile: path)
            guard bytes.count <= TrialScenario.maximumFileBytes else {
                throw TraceError(.tooLarge, "is larger than a scenario can be")
            }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw ScenarioErrors(diagnostics: [
                .init(file: path, line: 0, column: 0, message: error.message)
            ])
        }
    }

    /// - Returns: the reader, for further faults, and what it read.
    package static func read(
        _ text: String, file: String, spec: ObjectSpec, seed: Int?
    ) throws(ScenarioErrors) -> (ScenarioReader, ResolvedObject) {
        var reader = ScenarioReader(file: file)
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            YAMLFault.report(error, in: text, to: &reader)
            throw ScenarioErrors(diagnostics: reader.diagnostics)
        }
        guard let node else {
            reader.report(nil, "the scenario is empty; begin with version: 1")
            throw ScenarioErrors(diagnostics: reader.diagnostics)
        }
        var resolved = reader.read(node, spec)
        if let seed { resolved?.replace("seed", with: .integer(seed)) }
        guard let resolved, reader.diagnostics.isEmpty else { throw sorted(reader) }
        return (reader, resolved)
    }

    /// The faults in the order of the file.
    package static func sorted(_ reader: ScenarioReader) -> ScenarioErrors {
        ScenarioErrors(
            diagnostics: reader.diagnostics.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
    }
}
