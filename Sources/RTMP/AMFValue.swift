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

    /// The property `name` of an object or an ECMA array: senders use either.
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

/// Limits that hold for both versions, so that a claimed length never costs memory.
enum AMFLimits {
    static let depth = 32
    /// Values in one message.
    static let values = 16_384
    /// Bytes of text that references repeat.
    static let repeatedBytes = 1 << 20
}

/// What a message has used of the limits. A value that is referred to counts each time as if it
/// stood there: a few bytes of references to references would expand to more than any memory.
struct AMFBudget {
    private var values = 0
    private var repeatedBytes = 0
    private let valueLimit: Int

    /// - Parameter bytes: of the message. Every value that stands in it takes one at least, so that
    ///   references cannot make much more of it than there is: what they expand to costs time.
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
