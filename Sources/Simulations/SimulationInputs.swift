import ABR
import Foundation
import Netem
import Results
import Scenario
import SimulationKernel

/// Turns the names in a simulation scenario into titles.
enum SimulationInputs {
    /// Returns an identifier of what is computed, independent of the time of the computation.
    static func contentID(_ kind: String, _ yaml: String, _ inputs: [Manifest.Input]) -> String {
        let parts = [MillraceVersion.current, yaml] + inputs.map(\.sha256)
        return "\(kind)-" + ContentDigest.sha256(parts.joined(separator: "\n")).prefix(12)
    }

    /// Returns the titles that are made from ladders and title files.
    static func titles(
        _ ladders: [String], _ shape: TitleShape, reader: inout ScenarioReader
    ) -> [NamedInput<Title>] {
        var result: [NamedInput<Title>] = []
        for (index, text) in ladders.enumerated() {
            do {
                if let ladder = Ladder.presets.first(where: { $0.name == text }) {
                    let made = try ladder.title(
                        segmentDuration: shape.segmentDuration, segmentCount: shape.segmentCount,
                        variation: shape.variation, seed: reader.seed)
                    result.append(.init(name: made.name, value: made))
                } else {
                    let path = text.hasPrefix("/") ? text : "\(reader.folder)/\(text)"
                    guard FileManager.default.fileExists(atPath: path) else {
                        let names = Ladder.presets.map(\.name)
                        let nearest = NameDistance.nearest(to: text, among: names)
                        throw InputFault(
                            message: "there is no title file '\(text)' and no preset of that name; "
                                + (nearest.map { "did you mean '\($0)'?" }
                                    ?? "presets: \(names.joined(separator: ", "))"))
                    }
                    let bytes = try TraceReader.contents(ofFile: path)
                    result.append(
                        .init(
                            name: InputFiles.name(path),
                            value: try TitleReader.read(bytes, file: path),
                            input: InputFiles.input(path, bytes)))
                }
            } catch {
                reader.report(at: "matrix.ladders[\(index)]", "\(error)")
            }
        }
        return result
    }
}
