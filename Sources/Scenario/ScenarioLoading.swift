import Results
import Foundation
import Yams

extension TrialScenario {
    /// Largest scenario file accepted.
    static let maximumFileBytes = 1 << 20

    /// Reads and checks a scenario file.
    ///
    /// - Parameter seed: a seed in place of the scenario's own.
    /// - Throws: every fault found, each with file, line and column.
    package static func load(
        path: String, seed: Int? = nil
    ) throws(ScenarioErrors) -> TrialScenario {
        func unreadable(_ message: String) -> ScenarioErrors {
            ScenarioErrors(diagnostics: [.init(file: path, line: 0, column: 0, message: message)])
        }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            let exists = FileManager.default.fileExists(atPath: path)
            throw unreadable(
                exists ? "cannot be read; give a readable YAML file" : "there is no such file")
        }
        guard data.count <= maximumFileBytes else {
            throw unreadable("is larger than \(maximumFileBytes) bytes; is it a scenario?")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw unreadable("is not UTF-8 text; is it a scenario?")
        }
        return try parse(
            text, file: path, folder: URL(fileURLWithPath: path).deletingLastPathComponent().path,
            seed: seed)
    }

    /// Checks the text of a scenario.
    /// - Parameters:
    ///   - file: the name that faults carry.
    ///   - folder: trace files are relative to it.
    ///   - seed: a seed in place of the scenario's own.
    package static func parse(
        _ text: String, file: String = "scenario", folder: String = ".", seed: Int? = nil
    ) throws(ScenarioErrors) -> TrialScenario {
        var (reader, resolved) = try SpecFile.read(
            text, file: file, spec: ScenarioSpec.root, seed: seed)
        fillArrivals(&resolved)
        let thresholds = thresholds(of: resolved, reader: &reader)
        var scenario = TrialScenario(resolved: resolved, thresholds: thresholds)
        for (index, group) in resolved.objects("viewers").enumerated() {
            scenario.viewers[index].link = GroupLink.read(
                group, seed: scenario.seed, folder: folder, place: "viewers[\(index)]",
                reader: &reader)
        }
        EdgeRules.apply(to: &scenario, reader: &reader)
        ScenarioRules.check(scenario, reader: &reader)
        guard reader.diagnostics.isEmpty else { throw SpecFile.sorted(reader) }
        return scenario
    }

    /// SHA-256 of the canonical resolved YAML, in lower-case hexadecimal.
    package var sha256: String {
        ContentDigest.sha256(canonicalYAML)
    }

    /// The default arrival depends on the warm-up: all viewers join in its first 60 %.
    private static func fillArrivals(_ root: inout ResolvedObject) {
        let filled = root.objects("viewers").map { group -> ResolvedValue in
            var arrival = group.object("arrival") ?? ResolvedObject()
            if arrival["model"] == nil { arrival.values.append(("model", .text("open"))) }
            let left = max(1e6, (root.number("warmup") ?? 0) - (arrival.number("after") ?? 0))
            let over = ResolvedValue.quantity(.duration, (left * 0.6 / 1e6).rounded() * 1e6)
            if arrival.text("model") == "open", arrival["rate"] == nil, arrival["over"] == nil {
                arrival.values.append(("over", over))
            }
            // As a file has it that names them all.
            let after = arrival["after"] ?? .quantity(.duration, 0)
            arrival.values.removeAll { $0.key == "after" }
            arrival.values.append(("after", after))
            var group = group
            let place = group.values.firstIndex { $0.key == "mode" } ?? group.values.endIndex
            if let old = group.values.firstIndex(where: { $0.key == "arrival" }) {
                group.values[old].value = .object(arrival)
            } else {
                group.values.insert(("arrival", .object(arrival)), at: place)
            }
            return .object(group)
        }
        if let place = root.values.firstIndex(where: { $0.key == "viewers" }) {
            root.values[place].value = .list(filled)
        }
    }

    private static func thresholds(
        of root: ResolvedObject, reader: inout ScenarioReader
    ) -> [Threshold] {
        var result: [Threshold] = []
        for (selector, _) in root.object("thresholds")?.values ?? [] {
            // A fault of the selector shows with each of its expressions.
            var said: Set<String> = []
            for (i, text) in (root.object("thresholds")?.texts(selector) ?? []).enumerated() {
                switch Threshold.parse(selector: selector, expression: text) {
                case .success(let threshold): result.append(threshold)
                case .failure(let fault):
                    guard said.insert(fault.message).inserted else { continue }
                    let isExpression = Metric.allCases.contains { selector.hasPrefix($0.rawValue) }
                    let item = "thresholds.\(selector)[\(i)]"
                    reader.report(
                        at: isExpression ? item : "thresholds.\(selector)",
                        "thresholds: \(fault.message)")
                }
            }
        }
        return result
    }
}

/// Turns a YAML syntax error into a diagnostic.
enum YAMLFault {
    static func report(_ error: any Error, in text: String, to reader: inout ScenarioReader) {
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let inside = context.map { " (\($0.text) at line \($0.mark.line))" } ?? ""
            reader.report(mark, "not valid YAML: \(problem)\(inside)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            for key in duplicates {
                let lines = linesOf(key: key, in: text, from: context.mark.line)
                if lines.count > 1 {
                    reader.report(
                        line: lines[1].line, column: lines[1].column,
                        "duplicate key '\(key)', first given in line \(lines[0].line); keep one")
                } else {
                    reader.report(context.mark, "duplicate key '\(key)'; keep one")
                }
            }
        default: reader.report(nil, "not valid YAML: \(error)")
        }
    }

    /// The places where `key` stands at the indentation it first has at or after `first`.
    private static func linesOf(
        key: String, in text: String, from first: Int
    ) -> [(line: Int, column: Int)] {
        var found: [(line: Int, column: Int)] = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where index + 1 >= first {
            let indent = line.prefix { $0 == " " || $0 == "-" }.count
            let body = line.dropFirst(indent)
            let isKey = [key, "\"\(key)\"", "'\(key)'"].contains { body.hasPrefix($0 + ":") }
            guard isKey, found.isEmpty || found[0].column == indent + 1 else { continue }
            found.append((index + 1, indent + 1))
        }
        return found
    }
}
