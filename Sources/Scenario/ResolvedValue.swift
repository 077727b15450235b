import Foundation

/// A scenario value after checking, with defaults filled in and keys in the order of the schema.
package indirect enum ResolvedValue: Sendable {
    case text(String)
    case integer(Int)
    case boolean(Bool)
    case quantity(Quantity, Double)
    case list([ResolvedValue])
    case object(ResolvedObject)

    /// Canonical YAML: two-space indentation, text always in double quotes.
    package func yaml(indent: Int) -> String {
        let pad = String(repeating: " ", count: indent)
        switch self {
        case .text(let text): return " " + Self.quoted(text) + "\n"
        case .integer(let value): return " \(value)\n"
        case .boolean(let value): return " \(value)\n"
        case .quantity(let quantity, let value): return " \(quantity.format(value))\n"
        case .list(let items):
            if items.isEmpty { return " []\n" }
            return "\n"
                + items.map { item in
                    guard case .object(let object) = item else {
                        return pad + "-" + item.yaml(indent: indent + 2)
                    }
                    let body = object.yaml(indent: indent + 2)
                    return pad + "- " + body.dropFirst(indent + 2)
                }.joined()
        case .object(let object):
            return object.values.isEmpty ? " {}\n" : "\n" + object.yaml(indent: indent)
        }
    }

    /// A JSON string, which YAML reads as the same text.
    static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let data = (try? encoder.encode(text)) ?? Data("\"\"".utf8)
        return String(decoding: data, as: UTF8.self)
    }
}

/// A mapping after checking.
package struct ResolvedObject: Sendable {
    package var values: [(key: String, value: ResolvedValue)] = []

    package init() {}

    package mutating func replace(_ key: String, with value: ResolvedValue) {
        for index in values.indices where values[index].key == key { values[index].value = value }
    }

    subscript(key: String) -> ResolvedValue? { values.first { $0.key == key }?.value }

    package func yaml(indent: Int) -> String {
        let pad = String(repeating: " ", count: indent)
        return values.map { pad + Self.yamlKey($0.key) + ":" + $0.value.yaml(indent: indent + 2) }
            .joined()
    }

    private static func yamlKey(_ key: String) -> String {
        key.allSatisfy { $0.isLetter || $0 == "_" } ? key : ResolvedValue.quoted(key)
    }

    // Accessors for keys the schema has already checked.
    package func text(_ key: String) -> String? {
        if case .text(let value)? = self[key] { value } else { nil }
    }
    package func integer(_ key: String) -> Int? {
        if case .integer(let value)? = self[key] { value } else { nil }
    }
    package func boolean(_ key: String) -> Bool? {
        if case .boolean(let value)? = self[key] { value } else { nil }
    }
    package func number(_ key: String) -> Double? {
        if case .quantity(_, let value)? = self[key] { value } else { nil }
    }
    package func object(_ key: String) -> ResolvedObject? {
        if case .object(let value)? = self[key] { value } else { nil }
    }
    package func list(_ key: String) -> [ResolvedValue]? {
        if case .list(let value)? = self[key] { value } else { nil }
    }
    package func objects(_ key: String) -> [ResolvedObject] {
        (list(key) ?? []).compactMap { if case .object(let value) = $0 { value } else { nil } }
    }
    package func texts(_ key: String) -> [String] {
        (list(key) ?? []).compactMap { if case .text(let value) = $0 { value } else { nil } }
    }
    package func duration(_ key: String) -> Duration? {
        number(key).map { .nanoseconds(Int64($0)) }
    }
}
