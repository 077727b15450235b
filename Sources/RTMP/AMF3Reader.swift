import NIOCore

struct AMF3Reader {
    var buffer: ByteBuffer
    private(set) var budget: AMFBudget
    /// Whether a value of an unknown form ends the reading instead of being an error.
    private let stopsAtUnknown: Bool
    private(set) var hasStopped = false
    private var strings: [String] = []
    private var objects: [AMFValue] = []
    private var traits: [Traits] = []

    private struct Traits {
        var className: String
        var members: [String]
        var isDynamic: Bool
    }

    init(buffer: ByteBuffer, budget: AMFBudget? = nil, stopsAtUnknown: Bool = false) {
        self.buffer = buffer
        self.budget = budget ?? AMFBudget(bytes: buffer.readableBytes)
        self.stopsAtUnknown = stopsAtUnknown
    }

    /// Stops the reading: AMF has no lengths, so the end of a value of an unknown form cannot be
    /// found.
    private mutating func stop(_ why: String) throws(RTMPError) -> AMFValue {
        guard stopsAtUnknown else { throw RTMPError(.amf, why) }
        hasStopped = true
        return .undefined
    }

    mutating func value(depth: Int) throws(RTMPError) -> AMFValue {
        try budget.take(depth: depth)
        let raw: UInt8 = try integer()
        guard let marker = AMF3.Marker(rawValue: raw) else {
            return try stop("unknown AMF3 marker \(raw)")
        }
        switch marker {
        case .undefined: return .undefined
        case .null: return .null
        case .false: return .boolean(false)
        case .true: return .boolean(true)
        case .integer:
            let bits = try u29()
            return .number(Double(Int32(bitPattern: bits << 3) >> 3))
        case .double: return .number(Double(bitPattern: try integer()))
        case .string: return .string(try string())
        case .xmlDocument, .xml, .date, .byteArray, .array, .object, .vectorInt, .vectorUInt,
            .vectorDouble, .vectorObject, .dictionary:
            return try referable(marker, depth)
        }
    }

    /// Reads a value of a kind that is kept in the object table. Its first U29 is a reference or a
    /// length.
    private mutating func referable(
        _ marker: AMF3.Marker, _ depth: Int
    ) throws(RTMPError) -> AMFValue {
        let head = try u29()
        guard head & 1 == 1 else {
            let index = Int(head >> 1)
            guard objects.indices.contains(index) else {
                throw RTMPError(.amf, "object reference \(index) to nothing")
            }
            try budget.takeReferenced(objects[index], depth: depth)
            return objects[index]
        }
        let slot = objects.count
        objects.append(.null)
        let length = Int(head >> 1)
        let result: AMFValue
        switch marker {
        case .xmlDocument, .xml: result = .xml(try text(length))
        case .date: result = .date(Double(bitPattern: try integer()))
        case .byteArray:
            guard let bytes = buffer.readBytes(length: length) else {
                throw RTMPError(.amf, "a byte array claims \(length) bytes, more than are left")
            }
            result = .byteArray(bytes)
        case .array: result = try array(length, depth)
        case .object: result = try object(head, depth)
        case .dictionary: result = try dictionary(length, depth)
        default: result = try vector(marker, length, depth)
        }
        objects[slot] = result
        return result
    }

    private mutating func array(_ length: Int, _ depth: Int) throws(RTMPError) -> AMFValue {
        try checkClaim(length)
        let named = try dynamicProperties(depth)
        var values: [AMFValue] = []
        for _ in 0..<length where !hasStopped { values.append(try value(depth: depth + 1)) }
        guard !named.isEmpty else { return length == 0 ? .ecmaArray([]) : .strictArray(values) }
        return .ecmaArray(
            named + values.enumerated().map { AMFValue.Property(String($0.offset), $0.element) })
    }

    private mutating func object(_ head: UInt32, _ depth: Int) throws(RTMPError) -> AMFValue {
        let own: Traits
        if head & 2 == 0 {
            let index = Int(head >> 2)
            guard traits.indices.contains(index) else {
                throw RTMPError(.amf, "traits reference \(index) to nothing")
            }
            own = traits[index]
        } else {
            guard head & 4 == 0 else {
                return try stop("externalizable objects have no known layout")
            }
            let sealed = Int(head >> 4)
            try checkClaim(sealed)
            let className = try string()
            var members: [String] = []
            for _ in 0..<sealed { members.append(try string()) }
            own = Traits(className: className, members: members, isDynamic: head & 8 != 0)
            traits.append(own)
        }
        var properties: [AMFValue.Property] = []
        for member in own.members where !hasStopped {
            properties.append(.init(member, try value(depth: depth + 1)))
        }
        if own.isDynamic { properties += try dynamicProperties(depth) }
        return .object(properties, className: own.className)
    }

    private mutating func dictionary(_ length: Int, _ depth: Int) throws(RTMPError) -> AMFValue {
        try checkClaim(length)
        _ = try integer(as: UInt8.self)
        var properties: [AMFValue.Property] = []
        for _ in 0..<length where !hasStopped {
            let key = try value(depth: depth + 1)
            guard !hasStopped else { break }
            let value = try value(depth: depth + 1)
            if let name = Self.keyName(key) { properties.append(.init(name, value)) }
        }
        return .ecmaArray(properties)
    }

    /// Name of a property, from a string, a number or a Boolean; nil for any other key. A textual
    /// description of an object as a name would double its escapes with each level.
    private static func keyName(_ key: AMFValue) -> String? {
        switch key {
        case .string(let text): return text
        case .number(let number): return "\(number)"
        case .boolean(let flag): return "\(flag)"
        default: return nil
        }
    }

    private mutating func vector(
        _ marker: AMF3.Marker, _ length: Int, _ depth: Int
    ) throws(RTMPError) -> AMFValue {
        try checkClaim(length)
        _ = try integer(as: UInt8.self)
        if marker == .vectorObject { _ = try string() }
        var values: [AMFValue] = []
        for _ in 0..<length where !hasStopped {
            switch marker {
            case .vectorInt: values.append(.number(Double(try integer(as: Int32.self))))
            case .vectorUInt: values.append(.number(Double(try integer(as: UInt32.self))))
            case .vectorDouble: values.append(.number(Double(bitPattern: try integer())))
            default: values.append(try value(depth: depth + 1))
            }
        }
        return .strictArray(values)
    }

    private mutating func dynamicProperties(
        _ depth: Int
    ) throws(RTMPError) -> [AMFValue.Property] {
        var properties: [AMFValue.Property] = []
        while !hasStopped {
            let name = try string()
            if name.isEmpty { return properties }
            properties.append(.init(name, try value(depth: depth + 1)))
        }
        return properties
    }

    /// Refuses a claimed number of elements that exceeds the bytes left: every element takes at
    /// least one byte.
    private func checkClaim(_ elements: Int) throws(RTMPError) {
        guard elements <= buffer.readableBytes else {
            throw RTMPError(
                .amf, "\(elements) elements claimed, \(buffer.readableBytes) bytes left")
        }
    }

    private mutating func string() throws(RTMPError) -> String {
        let head = try u29()
        guard head & 1 == 1 else {
            let index = Int(head >> 1)
            guard strings.indices.contains(index) else {
                throw RTMPError(.amf, "string reference \(index) to nothing")
            }
            try budget.takeRepeated(strings[index].utf8.count)
            return strings[index]
        }
        let value = try text(Int(head >> 1))
        // The empty string is never put into the string table.
        if !value.isEmpty { strings.append(value) }
        return value
    }

    private mutating func text(_ length: Int) throws(RTMPError) -> String {
        guard let string = buffer.readText(length: length) else {
            throw RTMPError(
                .amf, "a string claims \(length) bytes, \(buffer.readableBytes) are left")
        }
        return string
    }

    /// Reads up to four bytes: seven bits from each of the first three and eight from the fourth.
    private mutating func u29() throws(RTMPError) -> UInt32 {
        var result: UInt32 = 0
        for _ in 0..<3 {
            let byte: UInt8 = try integer()
            result = result << 7 | UInt32(byte & 0x7F)
            if byte & 0x80 == 0 { return result }
        }
        return result << 8 | UInt32(try integer(as: UInt8.self))
    }

    private mutating func integer<T: FixedWidthInteger>(
        as: T.Type = T.self
    ) throws(RTMPError) -> T {
        guard let value = buffer.readInteger(as: T.self) else {
            throw RTMPError(.amf, "the message ends inside a value")
        }
        return value
    }
}
