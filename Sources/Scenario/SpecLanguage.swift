import Processes

/// Specification of a value in a scenario. The decoder and the JSON Schema are both derived from
/// it.
indirect enum ValueSpec: Sendable {
    case constant(Int)
    /// Text. `pattern` restricts it (ECMA 262, checked through `isValid`), and `hint` explains it.
    case text(TextRule)
    case integer(ClosedRange<Int>)
    case boolean
    case quantity(Quantity, allowsZero: Bool)
    case choice([String])
    case list(ValueSpec, minimum: Int)
    case object(ObjectSpec)
    /// A mapping with arbitrary keys, whose values all follow one specification.
    case map(ValueSpec)
    /// A mapping whose keys follow a rule, and whose values all follow one specification.
    case table(TextRule, ValueSpec)
    /// The first alternative whose YAML shape (scalar type, list, mapping) fits.
    case either([ValueSpec])

    /// What the author of a scenario may write, for error messages.
    var hint: String {
        switch self {
        case .constant(let value): "\(value)"
        case .text(let rule): rule.hint
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .boolean: "true or false"
        case .quantity(let quantity, _): quantity.hint
        case .choice(let names):
            names.count == 1 ? names[0] : "one of \(names.joined(separator: ", "))"
        case .list(let item, _): "a list, each entry \(item.hint)"
        case .object(let spec): "a mapping with \(spec.fields.map(\.key).joined(separator: ", "))"
        case .map(let value), .table(_, let value): "a mapping of names to \(value.hint)"
        case .either(let alternatives): alternatives.map(\.hint).joined(separator: ", or ")
        }
    }
}

/// A rule for text, as a predicate for the decoder and a pattern for the JSON Schema.
package struct TextRule: Sendable {
    var hint: String
    var pattern: String?
    var isValid: @Sendable (String) -> Bool

    package static let any = TextRule(hint: "text", pattern: nil) { _ in true }
    package static let nonEmpty = TextRule(hint: "text that is not empty", pattern: "^[^\\n]+$") {
        !$0.isEmpty && !$0.contains("\n")
    }
    /// A name, which becomes part of stream keys, URLs and file names.
    package static let name = TextRule(
        hint: "a name of letters, digits, '-' and '.', at most 64 long",
        pattern: "^[A-Za-z0-9.-]{1,64}$"
    ) { $0.count <= 64 && isName($0, extra: "-.") }
    package static let streamName = TextRule(
        hint: "a name of letters, digits, '-', '.', '_' and {i}, at most 64 long",
        pattern: "^([A-Za-z0-9._-]|\\{i\\}){1,64}$"
    ) { $0.count <= 64 && isName($0.replacing("{i}", with: "0"), extra: "-._") }
    package static let pictureSize = TextRule(
        hint: "width x height such as 1280x720, even numbers from 16 to 4096",
        pattern: "^[0-9]{2,4}x[0-9]{2,4}$"
    ) { PictureSize($0) != nil }
    package static let cpuList = TextRule(
        hint: "a list of CPUs from 0 to 63 in quotes, such as \"0\" or \"0-1,3\"",
        pattern: "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"
    ) { CPUSet(list: $0) != nil }
    package static let decimal = TextRule(
        hint: "a number, such as 72.5", pattern: "^-?[0-9]+(\\.[0-9]+)?$"
    ) {
        Double($0)?.isFinite == true && $0.allSatisfy { $0.isNumber || $0 == "." || $0 == "-" }
    }
    package static func url(_ schemes: [String]) -> TextRule {
        TextRule(
            hint: "a URL that begins with \(schemes.map { $0 + "://" }.joined(separator: " or "))",
            pattern: "^(\(schemes.joined(separator: "|")))://[^/ ]+.*$"
        ) { text in
            schemes.contains { text.hasPrefix($0 + "://") && text.count > $0.count + 3 }
        }
    }

    private static func isName(_ text: String, extra: String) -> Bool {
        !text.isEmpty
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || extra.contains($0)) }
    }
}

/// One key of a mapping.
struct FieldSpec: Sendable {
    var key: String
    var value: ValueSpec
    /// Value if the key is not given; nil if the key is required or has no default.
    var standard: ResolvedValue?
    /// Unit in which the schema names the default; nil = the largest unit.
    var unit: String?
    var isRequired = false
    var about: String
}

/// A mapping with known keys.
package struct ObjectSpec: Sendable {
    var fields: [FieldSpec]
    /// Groups of keys. At most one key of each group may be given.
    var exclusive: [[String]] = []
    /// Keys of which exactly one must be given.
    var exactlyOne: [String] = []
    /// Keys of which at least one must be given.
    var atLeastOne: [String] = []
}
