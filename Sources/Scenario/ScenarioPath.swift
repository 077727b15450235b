/// The path of a key in a scenario, such as `viewers[1].count`.
struct ScenarioPath: Hashable, Sendable {
    struct Step: Hashable, Sendable {
        var key: String
        /// Entry of the list that the key holds; nil = every entry, or the key holds no list.
        var index: Int?
        /// Whether the path itself names the entry. A path without an index names all of them.
        var isIndexGiven = true
    }

    var steps: [Step]

    /// - Returns: nil unless the text is a path.
    init?(_ text: String) {
        guard text.utf8.count <= 200 else { return nil }
        var steps: [Step] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            let key = part.prefix {
                $0 == "_" || $0.isASCII && ($0.isNumber || $0.isLetter && $0.isLowercase)
            }
            guard !key.isEmpty else { return nil }
            let rest = part.dropFirst(key.count)
            guard !rest.isEmpty else {
                steps.append(Step(key: String(key), index: nil))
                continue
            }
            let digits = rest.dropFirst().dropLast()
            guard rest.first == "[", rest.last == "]", (1...4).contains(digits.count),
                digits.allSatisfy({ $0.isASCII && $0.isNumber }), let index = Int(digits)
            else { return nil }
            steps.append(Step(key: String(key), index: index))
        }
        self.steps = steps
    }

    /// The path of some steps as its author wrote it.
    static func text(_ steps: some Sequence<Step>) -> String {
        steps.map { step in step.key + (step.isIndexGiven ? step.index.map { "[\($0)]" } ?? "" : "")
        }
        .joined(separator: ".")
    }
}
