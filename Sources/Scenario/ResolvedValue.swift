import Foundation

/// A scenario value after checking, with defaults filled in and keys in the order of the schema.
indirect enum ResolvedValue: Sendable {
    case text(String)
    case integer(Int)
    case boolean(Bool)
    case quantity(Quantity, Double)
    case list([ResolvedValue])
    case object(ResolvedObject)

    /// Returns canonical YAML with an indentation of two spaces. Text is always in double quotes.
    func yaml(indent: Int) -> String {
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

    /// Returns a default in the words of the schema.
    /// - Parameter unit: Unit of quantities; nil = the largest unit that gives a whole number.
    func words(unit: String?) -> String {
        switch self {
        case .text(let text): text.isEmpty ? "empty" : text
        case .integer(let value): "\(value)"
        case .boolean(let value): "\(value)"
        case .quantity(let quantity, let value): quantity.format(value, in: unit)
        case .list(let items): "[\(items.map { $0.words(unit: unit) }.joined(separator: ", "))]"
        case .object: "{}"
        }
    }

    /// Returns a JSON string, which YAML reads as the same text.
    static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let data = (try? encoder.encode(text)) ?? Data("\"\"".utf8)
        return String(decoding: data, as: UTF8.self)
    }
}

/// A mapping after checking.
package struct ResolvedObject: Sendable {
    var values: [(key: String, value: ResolvedValue)] = []

    init() {}

    /// Inserts a value at the position that the order of the mapping's keys requires.
    mutating func put(_ key: String, _ value: ResolvedValue, in spec: ObjectSpec) {
        let later = spec.fields.map(\.key).drop { $0 != key }
        values.removeAll { $0.key == key }
        let place = values.firstIndex { later.contains($0.key) } ?? values.endIndex
        values.insert((key, value), at: place)
    }

    subscript(key: String) -> ResolvedValue? { values.first { $0.key == key }?.value }

    func yaml(indent: Int) -> String {
        let pad = String(repeating: " ", count: indent)
        return values.map { pad + Self.yamlKey($0.key) + ":" + $0.value.yaml(indent: indent + 2) }
            .joined()
    }

    private static func yamlKey(_ key: String) -> String {
        key.allSatisfy { $0.isLetter || $0 == "_" } ? key : ResolvedValue.quoted(key)
    }
}
