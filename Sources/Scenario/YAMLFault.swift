import Yams

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

    /// Returns the positions at which `key` stands with the same indentation as its first
    /// occurrence at or after line `first`.
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
