import Foundation
import SimulationKernel
import Yams

/// Checks a YAML tree against the scenario's specification and fills in the defaults.
///
/// The reader collects every fault instead of stopping at the first.
package struct ScenarioReader {
    let file: String
    /// Folder to which the file names in the scenario are relative.
    package let folder: String
    /// Seed of the draws while decoding.
    package var seed: UInt64 = 0
    package private(set) var diagnostics: [ScenarioDiagnostic] = []
    /// Position of each value, by path (`viewers[0].protocol`), for checks across fields.
    private(set) var marks: [String: Mark] = [:]

    init(file: String, folder: String? = nil) {
        self.file = file
        self.folder = folder ?? URL(fileURLWithPath: file).deletingLastPathComponent().path
    }

    /// The faults in the order of the file.
    var errors: ScenarioErrors {
        ScenarioErrors(
            diagnostics: diagnostics.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
    }

    mutating func report(_ mark: Mark?, _ message: String) {
        diagnostics.append(
            .init(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1, message: message))
    }

    mutating func report(line: Int, column: Int, _ message: String) {
        diagnostics.append(.init(file: file, line: line, column: column, message: message))
    }

    /// Reports a fault at the position of `path`, or of its nearest ancestor that is in the file.
    package mutating func report(at path: String, _ message: String) {
        var path = path
        while marks[path] == nil, !path.isEmpty {
            path = String(path[..<(path.lastIndex { $0 == "." || $0 == "[" } ?? path.startIndex)])
        }
        report(marks[path], message)
    }

    mutating func read(_ node: Node, _ spec: ObjectSpec, path: String = "") -> ResolvedObject? {
        if marks[path] == nil { marks[path] = node.mark }
        guard let mapping = node.mapping else {
            report(node.mark, "\(label(path)) must be a mapping with keys, not \(shape(node))")
            return nil
        }
        var result = ResolvedObject()
        let known = spec.fields.map(\.key)
        for (key, _) in mapping where !known.contains(key.scalar?.string ?? "") {
            let name = key.scalar?.string ?? "?"
            let nearest = NameDistance.nearest(to: name, among: known)
            report(
                key.mark,
                "unknown key '\(name)'\(path.isEmpty ? "" : " in \(path)"); "
                    + (nearest.map { "did you mean '\($0)'?" }
                        ?? "valid keys: \(known.joined(separator: ", "))"))
        }
        let pairs = Dictionary(
            mapping.map { ($0.key.scalar?.string ?? "", $0) }, uniquingKeysWith: { a, _ in a })
        for field in spec.fields {
            let place = Self.path(path, field.key)
            if let pair = pairs[field.key] {
                marks[place] = pair.value.mark ?? pair.key.mark
                if let value = read(pair.value, field.value, path: place) {
                    result.values.append((field.key, value))
                }
            } else if let value = field.standard {
                result.values.append((field.key, value))
            } else if field.isRequired {
                report(
                    node.mark, "\(label(path)) lacks the key '\(field.key)' (\(field.value.hint))")
            }
        }
        checkGroups(of: spec, given: { pairs[$0] != nil }, node: node, path: path)
        // If a key of a group is given, the defaults of the group's other keys are removed.
        for group in spec.exclusive where group.contains(where: { pairs[$0] != nil }) {
            result.values.removeAll { group.contains($0.key) && pairs[$0.key] == nil }
        }
        return result
    }

    private mutating func checkGroups(
        of spec: ObjectSpec, given: (String) -> Bool, node: Node, path: String
    ) {
        for group in spec.exclusive where group.filter(given).count > 1 {
            let names = group.joined(separator: ", ")
            report(node.mark, "\(label(path)): give only one of \(names)")
        }
        if let first = spec.atLeastOne.first, !spec.atLeastOne.contains(where: given) {
            let others = spec.atLeastOne.dropFirst().map { "'\($0)'" }.joined(separator: " or ")
            report(node.mark, "\(label(path)) lacks the key '\(first)'; give it, or \(others)")
        }
        if !spec.exactlyOne.isEmpty, spec.exactlyOne.filter(given).count != 1 {
            let names = spec.exactlyOne.joined(separator: ", ")
            report(node.mark, "\(label(path)) must have exactly one of \(names)")
        }
    }

    mutating func read(_ node: Node, _ spec: ValueSpec, path: String) -> ResolvedValue? {
        if marks[path] == nil { marks[path] = node.mark }
        switch spec {
        case .object(let object): return read(node, object, path: path).map { .object($0) }
        case .list(let item, let minimum):
            return readList(node, item, minimum: minimum, path: path)
        case .map(let value): return readMap(node, value, path: path)
        case .table(let names, let value):
            if let mapping = node.mapping {
                for (key, _) in mapping where !names.isValid(key.scalar?.string ?? "") {
                    report(
                        key.mark, "\(path): '\(key.scalar?.string ?? "")' is not \(names.hint)")
                }
            }
            return readMap(node, value, path: path)
        case .either(let alternatives):
            guard let fitting = alternatives.first(where: { fits(node, $0) }) else {
                report(node.mark, "\(path): expected \(spec.hint), not \(shape(node))")
                return nil
            }
            return read(node, fitting, path: path)
        default: return readScalar(node, spec, path: path)
        }
    }

    private mutating func readList(
        _ node: Node, _ item: ValueSpec, minimum: Int, path: String
    ) -> ResolvedValue? {
        guard let sequence = node.sequence else {
            report(node.mark, "\(path) must be a list, not \(shape(node))")
            return nil
        }
        if sequence.count < minimum {
            report(node.mark, "\(path) must have at least \(minimum) entry")
        }
        var items: [ResolvedValue] = []
        for (index, element) in sequence.enumerated() {
            if let value = read(element, item, path: "\(path)[\(index)]") { items.append(value) }
        }
        return .list(items)
    }

    private mutating func readMap(_ node: Node, _ spec: ValueSpec, path: String) -> ResolvedValue? {
        guard let mapping = node.mapping else {
            report(node.mark, "\(path) must be a mapping, not \(shape(node))")
            return nil
        }
        var result = ResolvedObject()
        for (key, value) in mapping {
            let name = key.scalar?.string ?? ""
            let place = "\(path).\(name)"
            marks[place] = key.mark
            if let value = read(value, spec, path: place) { result.values.append((name, value)) }
        }
        return .object(result)
    }

    private mutating func readScalar(
        _ node: Node, _ spec: ValueSpec, path: String
    ) -> ResolvedValue? {
        guard let scalar = node.scalar else {
            report(node.mark, "\(path): expected \(spec.hint), not \(shape(node))")
            return nil
        }
        switch ScalarRule.check(scalar, tag: node.tagName, spec) {
        case .success(let value): return value
        case .failure(let fault):
            report(node.mark, "\(path): \(fault.message)")
            return nil
        }
    }

    private func fits(_ node: Node, _ spec: ValueSpec) -> Bool {
        switch spec {
        case .object, .map, .table: node.mapping != nil
        case .list: node.sequence != nil
        case .boolean: node.tagName == .bool
        case .integer, .constant: node.tagName == .int
        default: node.scalar != nil && node.tagName == .str
        }
    }

    static func path(_ mapping: String, _ key: String) -> String {
        mapping.isEmpty ? key : "\(mapping).\(key)"
    }

    private func label(_ path: String) -> String { path.isEmpty ? "the scenario" : path }

    private func shape(_ node: Node) -> String {
        switch node.tagName {
        case .null: "nothing"
        case _ where node.sequence != nil: "a list"
        case _ where node.mapping != nil: "a mapping"
        default: "'\(node.scalar?.string ?? "")'"
        }
    }
}

extension Node {
    /// Name of the resolved tag.
    var tagName: Tag.Name { Tag.Name(rawValue: tag.rawValue) }
}
