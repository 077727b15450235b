/// An attribute list, `NAME=value,NAME="value"` (RFC 8216, 4.2), in the order written.
public struct AttributeList: Sendable, Hashable {
    public struct Attribute: Sendable, Hashable {
        public var name: String
        /// Value without the quotes.
        public var value: String
        public var isQuoted: Bool
    }

    public private(set) var attributes: [Attribute] = []

    public init() {}

    /// Reads a list; blanks around names and values are skipped. A name that occurs twice keeps its
    /// first value.
    /// - Parameter line: Line number for the error.
    /// - Throws: `PlaylistError`: `.malformed` or `.tooLarge`.
    public init(
        _ text: Substring, line: Int = 0, limits: PlaylistLimits = PlaylistLimits()
    ) throws(PlaylistError) {
        var rest = text.utf8[...]
        guard !rest.contains(0x0D) else {
            throw PlaylistError(.malformed, line: line, "an attribute holds a carriage return")
        }
        func string(_ bytes: Substring.UTF8View.SubSequence) -> String { String(Substring(bytes)) }
        while true {
            while let first = rest.first, first == 0x20 || first == 0x09 || first == 0x2C {
                rest = rest.dropFirst()
            }
            if rest.isEmpty { return }
            guard let equals = rest.firstIndex(of: UInt8(ascii: "=")), equals > rest.startIndex
            else {
                throw PlaylistError(
                    .malformed, line: line, "'\(Substring(rest))' is not NAME=value")
            }
            let name = string(rest[..<equals])
            rest = rest[rest.index(after: equals)...]
            var value: String
            let isQuoted = rest.first == UInt8(ascii: "\"")
            if isQuoted {
                rest = rest.dropFirst()
                guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else {
                    throw PlaylistError(
                        .malformed, line: line, "the quoted value of \(name) does not end")
                }
                value = string(rest[..<end])
                rest = rest[rest.index(after: end)...]
                let comma = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
                guard rest[..<comma].allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else {
                    throw PlaylistError(
                        .malformed, line: line,
                        "text follows the quoted value of \(name) without a comma")
                }
                rest = rest[comma...]
            } else {
                let comma = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
                var end = comma
                while end > rest.startIndex {
                    let before = rest.index(before: end)
                    guard rest[before] == 0x20 || rest[before] == 0x09 else { break }
                    end = before
                }
                value = string(rest[..<end])
                guard !value.utf8.contains(0x22) else {
                    throw PlaylistError(
                        .malformed, line: line, "the value of \(name) has a quote within")
                }
                rest = rest[comma...]
            }
            guard attributes.count < limits.attributes else {
                throw PlaylistError(
                    .tooLarge, line: line, "over \(limits.attributes) attributes in one tag")
            }
            attributes.append(Attribute(name: name, value: value, isQuoted: isQuoted))
        }
    }

    /// The value of `name`, quoted or not.
    public subscript(_ name: String) -> String? {
        attributes.first { $0.name == name }?.value
    }

    mutating func add(_ name: String, _ value: String) {
        attributes.append(Attribute(name: name, value: value, isQuoted: false))
    }

    mutating func add(_ name: String, quoted value: String?) {
        guard let value else { return }
        attributes.append(Attribute(name: name, value: value, isQuoted: true))
    }

    mutating func add(_ name: String, integer value: Int?) {
        if let value { add(name, "\(value)") }
    }

    mutating func add(_ name: String, decimal value: Double?) {
        if let value { add(name, PlaylistNumber.text(value)) }
    }

    mutating func add(_ name: String, yes value: Bool) {
        if value { add(name, "YES") }
    }

    /// The list as a tag carries it. A quote or a line break, which no quoted value can contain,
    /// becomes `'` or a blank.
    public var text: String {
        attributes.map { attribute in
            guard attribute.isQuoted else { return "\(attribute.name)=\(attribute.value)" }
            return "\(attribute.name)=\"\(Self.quotable(attribute.value))\""
        }.joined(separator: ",")
    }

    private static func quotable(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else {
            return value
        }
        let bytes = value.utf8.map { byte -> UInt8 in
            byte == 0x22 ? 0x27 : byte == 0x0A || byte == 0x0D ? 0x20 : byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The attributes of one tag, read with the tag's name and line in every error.
struct TagAttributes {
    let tag: String
    let line: Int
    private let list: AttributeList

    init(_ line: PlaylistLine, limits: PlaylistLimits) throws(PlaylistError) {
        tag = String(line.name)
        self.line = line.number
        list = try AttributeList(line.value, line: line.number, limits: limits)
    }

    func string(_ name: String) -> String? { list[name] }

    func required(_ name: String) throws(PlaylistError) -> String {
        guard let value = list[name] else {
            throw PlaylistError(.missing, line: line, "\(tag) has no \(name)")
        }
        return value
    }

    /// Reads a value that is written without quotes: it has no blanks and no commas.
    func token(_ name: String) throws(PlaylistError) -> String? {
        guard let value = list[name] else { return nil }
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x2C })
        else {
            throw PlaylistError(
                .malformed, line: line, "\(tag): \(name) is not a word without blanks")
        }
        return value
    }

    func integer(_ name: String) throws(PlaylistError) -> Int? {
        guard let text = list[name] else { return nil }
        guard let value = PlaylistNumber.integer(text[...]) else {
            throw PlaylistError(
                .malformed, line: line, "\(tag): \(name)=\(text) is not a whole number")
        }
        return value
    }

    /// Reads a media sequence number as its bit pattern.
    func sequence(_ name: String) throws(PlaylistError) -> Int? {
        guard let text = list[name] else { return nil }
        guard let value = PlaylistNumber.wide(text[...]) else {
            throw PlaylistError(
                .malformed, line: line, "\(tag): \(name)=\(text) is not a whole number")
        }
        return Int(truncatingIfNeeded: value)
    }

    func decimal(_ name: String) throws(PlaylistError) -> Double? {
        guard let text = list[name] else { return nil }
        guard let value = PlaylistNumber.decimal(text[...]) else {
            throw PlaylistError(.malformed, line: line, "\(tag): \(name)=\(text) is not a number")
        }
        return value
    }

    /// Reads a number that must not be negative.
    func length(_ name: String) throws(PlaylistError) -> Double? {
        guard let value = try decimal(name) else { return nil }
        guard value >= 0 else {
            throw PlaylistError(.malformed, line: line, "\(tag): \(name) is negative")
        }
        return value
    }

    func required<Value>(_ name: String, _ value: Value?) throws(PlaylistError) -> Value {
        guard let value else {
            throw PlaylistError(.missing, line: line, "\(tag) has no \(name)")
        }
        return value
    }

    func yes(_ name: String) -> Bool { list[name] == "YES" }
}
