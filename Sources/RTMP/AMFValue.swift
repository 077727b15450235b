/// A value of the Action Message Format, whichever version carried it.
public enum AMFValue: Hashable, Sendable {
    case number(Double)
    case boolean(Bool)
    case string(String)
    /// Properties in the order sent; `className` is empty for an anonymous object.
    case object([Property], className: String = "")
    case ecmaArray([Property])
    case strictArray([AMFValue])
    /// Milliseconds since 1970, UTC.
    case date(Double)
    case xml(String)
    case byteArray([UInt8])
    case null
    case undefined

    public struct Property: Hashable, Sendable {
        public var name: String
        public var value: AMFValue

        public init(_ name: String, _ value: AMFValue) {
            self.name = name
            self.value = value
        }
    }

    /// The property `name` of an object or of an ECMA array: senders use either form.
    public subscript(name: String) -> AMFValue? {
        switch self {
        case .object(let properties, _), .ecmaArray(let properties):
            properties.first { $0.name == name }?.value
        default: nil
        }
    }

    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var number: Double? {
        if case .number(let value) = self { value } else { nil }
    }

    public var boolean: Bool? {
        switch self {
        case .boolean(let value): value
        case .number(let value): value != 0
        default: nil
        }
    }
}

/// Limits that hold for both AMF versions, so that a claimed length never costs memory.
enum AMFLimits {
    static let depth = 32
    /// Largest number of values in one message.
    static let values = 16_384
    /// Largest number of bytes of text that references may repeat.
    static let repeatedBytes = 1 << 20
}

/// Counts what a message has used of the limits. A value that a reference points to counts each
/// time as if it were written out: otherwise a few bytes of references to references would expand
/// to more than any memory.
struct AMFBudget {
    private var values = 0
    private var repeatedBytes = 0
    private let valueLimit: Int

    /// - Parameter bytes: Length of the message. Every written value takes at least one byte, so
    ///   this length bounds what references may expand to, and with it the time that reading takes.
    init(bytes: Int) {
        valueLimit = min(AMFLimits.values, 64 + bytes)
    }

    mutating func take(depth: Int) throws(RTMPError) {
        guard depth < AMFLimits.depth else {
            throw RTMPError(.amf, "values nested deeper than \(AMFLimits.depth)")
        }
        values += 1
        guard values <= valueLimit else {
            throw RTMPError(.amf, "more than \(valueLimit) values in one message")
        }
    }

    mutating func takeRepeated(_ bytes: Int) throws(RTMPError) {
        repeatedBytes += bytes
        guard repeatedBytes <= AMFLimits.repeatedBytes else {
            throw RTMPError(
                .amf, "references repeat more than \(AMFLimits.repeatedBytes) bytes of text")
        }
    }

    mutating func takeReferenced(_ value: AMFValue, depth: Int) throws(RTMPError) {
        try take(depth: depth)
        switch value {
        case .string(let text), .xml(let text): try takeRepeated(text.utf8.count)
        case .byteArray(let bytes): try takeRepeated(bytes.count)
        case .strictArray(let values):
            for value in values { try takeReferenced(value, depth: depth + 1) }
        case .object(let properties, _), .ecmaArray(let properties):
            for property in properties {
                try takeRepeated(property.name.utf8.count)
                try takeReferenced(property.value, depth: depth + 1)
            }
        case .number, .boolean, .date, .null, .undefined: break
        }
    }
}
