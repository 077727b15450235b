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
}
