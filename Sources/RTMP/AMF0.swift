public import NIOCore

/// Action Message Format 0 (Adobe, amf0-file-format-specification 2007).
public enum AMF0 {
    enum Marker: UInt8 {
        case number = 0
        case boolean = 1
        case string = 2
        case object = 3
        case null = 5
        case undefined = 6
        case reference = 7
        case ecmaArray = 8
        case objectEnd = 9
        case strictArray = 10
        case date = 11
        case longString = 12
        case unsupported = 13
        case xmlDocument = 15
        case typedObject = 16
        case avmPlus = 17
    }

    /// Reads every value up to the end of `buffer`.
    public static func readAll(_ buffer: inout ByteBuffer) throws(RTMPError) -> [AMFValue] {
        var reader = Reader(buffer: buffer)
        defer { buffer = reader.buffer }
        var values: [AMFValue] = []
        while reader.buffer.readableBytes > 0 { values.append(try reader.value(depth: 0)) }
        return values
    }

    /// Reads every value up to the first one of an unknown form. AMF has no lengths, so the bytes
    /// after such a value cannot be read; an object that holds such a value has only the properties
    /// before it.
    /// - Throws: `RTMPError` if the bytes are broken or exceed a limit.
    public static func readKnown(_ buffer: inout ByteBuffer) throws(RTMPError) -> [AMFValue] {
        var reader = Reader(buffer: buffer, stopsAtUnknown: true)
        defer { buffer = reader.buffer }
        var values: [AMFValue] = []
        while reader.buffer.readableBytes > 0, !reader.hasStopped {
            let value = try reader.value(depth: 0)
            if !reader.hasStopped || value != .undefined { values.append(value) }
        }
        return values
    }

    /// Reads one value; the buffer moves past it.
    public static func read(_ buffer: inout ByteBuffer) throws(RTMPError) -> AMFValue {
        var reader = Reader(buffer: buffer)
        defer { buffer = reader.buffer }
        return try reader.value(depth: 0)
    }

    public static func write(_ value: AMFValue, into buffer: inout ByteBuffer) {
        switch value {
        case .number(let number):
            buffer.writeInteger(Marker.number.rawValue)
            buffer.writeInteger(number.bitPattern)
        case .boolean(let flag):
            buffer.writeMultipleIntegers(Marker.boolean.rawValue, UInt8(flag ? 1 : 0))
        case .string(let string):
            writeString(string, into: &buffer)
        case .object(let properties, let className):
            if className.isEmpty {
                buffer.writeInteger(Marker.object.rawValue)
            } else {
                buffer.writeInteger(Marker.typedObject.rawValue)
                writeName(className, into: &buffer)
            }
            writeProperties(properties, into: &buffer)
        case .ecmaArray(let properties):
            buffer.writeInteger(Marker.ecmaArray.rawValue)
            buffer.writeInteger(UInt32(truncatingIfNeeded: properties.count))
            writeProperties(properties, into: &buffer)
        case .strictArray(let values):
            buffer.writeInteger(Marker.strictArray.rawValue)
            buffer.writeInteger(UInt32(truncatingIfNeeded: values.count))
            for value in values { write(value, into: &buffer) }
        case .date(let milliseconds):
            buffer.writeInteger(Marker.date.rawValue)
            buffer.writeInteger(milliseconds.bitPattern)
            buffer.writeInteger(Int16(0))
        case .xml(let text):
            buffer.writeInteger(Marker.xmlDocument.rawValue)
            buffer.writeInteger(UInt32(truncatingIfNeeded: text.utf8.count))
            buffer.writeString(text)
        case .byteArray:
            // Only AMF3 has byte arrays.
            buffer.writeInteger(Marker.avmPlus.rawValue)
            AMF3.write(value, into: &buffer)
        case .null:
            buffer.writeInteger(Marker.null.rawValue)
        case .undefined:
            buffer.writeInteger(Marker.undefined.rawValue)
        }
    }

    private static func writeString(_ string: String, into buffer: inout ByteBuffer) {
        let length = string.utf8.count
        if length <= 0xFFFF {
            buffer.writeInteger(Marker.string.rawValue)
            buffer.writeInteger(UInt16(length))
        } else {
            buffer.writeInteger(Marker.longString.rawValue)
            buffer.writeInteger(UInt32(truncatingIfNeeded: length))
        }
        buffer.writeString(string)
    }

    private static func writeName(_ name: String, into buffer: inout ByteBuffer) {
        let bytes = name.utf8.prefix(0xFFFF)
        buffer.writeInteger(UInt16(bytes.count))
        buffer.writeBytes(bytes)
    }

    private static func writeProperties(
        _ properties: [AMFValue.Property], into buffer: inout ByteBuffer
    ) {
        for property in properties {
            writeName(property.name, into: &buffer)
            write(property.value, into: &buffer)
        }
        buffer.writeInteger(UInt16(0))
        buffer.writeInteger(Marker.objectEnd.rawValue)
    }

    private struct Reader {
        var buffer: ByteBuffer
        /// Whether a value of an unknown form ends the reading instead of being an error.
        var stopsAtUnknown = false
        var hasStopped = false
        private var budget: AMFBudget
        /// Objects and arrays read so far; a `reference` marker points into this list.
        private var complex: [AMFValue] = []

        init(buffer: ByteBuffer, stopsAtUnknown: Bool = false) {
            self.buffer = buffer
            self.stopsAtUnknown = stopsAtUnknown
            budget = AMFBudget(bytes: buffer.readableBytes)
        }

        mutating func value(depth: Int) throws(RTMPError) -> AMFValue {
            try budget.take(depth: depth)
            let raw: UInt8 = try integer()
            guard let marker = Marker(rawValue: raw) else {
                if stopsAtUnknown {
                    hasStopped = true
                    return .undefined
                }
                throw RTMPError(.amf, "unknown AMF0 marker \(raw)")
            }
            switch marker {
            case .number: return .number(Double(bitPattern: try integer()))
            case .boolean: return .boolean(try integer(as: UInt8.self) != 0)
            case .string: return .string(try text(Int(try integer(as: UInt16.self))))
            case .longString: return .string(try text(Int(try integer(as: UInt32.self))))
            case .xmlDocument: return .xml(try text(Int(try integer(as: UInt32.self))))
            case .null: return .null
            case .undefined, .unsupported: return .undefined
            case .date:
                let milliseconds = Double(bitPattern: try integer())
                _ = try integer(as: Int16.self)
                return .date(milliseconds)
            case .reference:
                let index = Int(try integer(as: UInt16.self))
                guard complex.indices.contains(index) else {
                    throw RTMPError(.amf, "reference \(index) to nothing")
                }
                try budget.takeReferenced(complex[index], depth: depth)
                return complex[index]
            case .object, .typedObject, .ecmaArray, .strictArray:
                return try container(marker, depth)
            case .avmPlus: return try other()
            case .objectEnd: throw RTMPError(.amf, "object end outside an object")
            }
        }

        /// Reads a value of the other AMF version, within what is left of the message's budget.
        private mutating func other() throws(RTMPError) -> AMFValue {
            var reader = AMF3Reader(
                buffer: buffer, budget: budget, stopsAtUnknown: stopsAtUnknown)
            defer {
                (buffer, budget, hasStopped) = (reader.buffer, reader.budget, reader.hasStopped)
            }
            return try reader.value(depth: 0)
        }

        private mutating func container(
            _ marker: Marker, _ depth: Int
        ) throws(RTMPError) -> AMFValue {
            let slot = complex.count
            complex.append(.null)
            let result: AMFValue
            switch marker {
            case .strictArray:
                let claimed = Int(try integer(as: UInt32.self))
                guard claimed <= buffer.readableBytes else {
                    throw RTMPError(
                        .amf, "an array claims \(claimed) values, more than the bytes left")
                }
                var values: [AMFValue] = []
                for _ in 0..<claimed where !hasStopped {
                    values.append(try value(depth: depth + 1))
                }
                result = .strictArray(values)
            case .ecmaArray:
                // The count is only a hint: some senders get it wrong, and the end marker decides.
                _ = try integer(as: UInt32.self)
                result = .ecmaArray(try properties(depth))
            default:
                let name = marker == .typedObject ? try text(Int(try integer(as: UInt16.self))) : ""
                result = .object(try properties(depth), className: name)
            }
            complex[slot] = result
            return result
        }

        private mutating func properties(_ depth: Int) throws(RTMPError) -> [AMFValue.Property] {
            var properties: [AMFValue.Property] = []
            while !hasStopped {
                let name = try text(Int(try integer(as: UInt16.self)))
                if name.isEmpty,
                    buffer.getInteger(at: buffer.readerIndex) == Marker.objectEnd.rawValue
                {
                    buffer.moveReaderIndex(forwardBy: 1)
                    return properties
                }
                properties.append(.init(name, try value(depth: depth + 1)))
            }
            return properties
        }

        private mutating func integer<T: FixedWidthInteger>(
            as: T.Type = T.self
        ) throws(RTMPError) -> T {
            guard let value = buffer.readInteger(as: T.self) else {
                throw RTMPError(.amf, "the message ends inside a value")
            }
            return value
        }

        private mutating func text(_ length: Int) throws(RTMPError) -> String {
            guard let string = buffer.readText(length: length) else {
                throw RTMPError(
                    .amf, "a string claims \(length) bytes, \(buffer.readableBytes) are left")
            }
            return string
        }
    }
}
