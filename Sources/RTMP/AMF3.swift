public import NIOCore

/// Action Message Format 3 (Adobe, amf-file-format-spec 2013). Integers become `.number`.
public enum AMF3 {
    enum Marker: UInt8 {
        case undefined = 0
        case null = 1
        case `false` = 2
        case `true` = 3
        case integer = 4
        case double = 5
        case string = 6
        case xmlDocument = 7
        case date = 8
        case array = 9
        case object = 10
        case xml = 11
        case byteArray = 12
        case vectorInt = 13
        case vectorUInt = 14
        case vectorDouble = 15
        case vectorObject = 16
        case dictionary = 17
    }

    /// Reads one value with reference tables of its own; the buffer moves past it.
    public static func read(_ buffer: inout ByteBuffer) throws(RTMPError) -> AMFValue {
        var reader = AMF3Reader(buffer: buffer)
        defer { buffer = reader.buffer }
        return try reader.value(depth: 0)
    }

    /// Writes `value` without references. The result is longer than necessary and valid everywhere.
    public static func write(_ value: AMFValue, into buffer: inout ByteBuffer) {
        switch value {
        case .undefined: buffer.writeInteger(Marker.undefined.rawValue)
        case .null: buffer.writeInteger(Marker.null.rawValue)
        case .boolean(let flag):
            buffer.writeInteger((flag ? Marker.true : Marker.false).rawValue)
        case .number(let number):
            buffer.writeInteger(Marker.double.rawValue)
            buffer.writeInteger(number.bitPattern)
        case .string(let string):
            buffer.writeInteger(Marker.string.rawValue)
            writeText(string, into: &buffer)
        case .xml(let text):
            buffer.writeInteger(Marker.xml.rawValue)
            writeText(text, into: &buffer)
        case .date(let milliseconds):
            buffer.writeInteger(Marker.date.rawValue)
            writeU29(1, into: &buffer)
            buffer.writeInteger(milliseconds.bitPattern)
        case .byteArray(let bytes):
            buffer.writeInteger(Marker.byteArray.rawValue)
            writeU29(UInt32(truncatingIfNeeded: bytes.count) << 1 | 1, into: &buffer)
            buffer.writeBytes(bytes)
        case .strictArray(let values):
            buffer.writeInteger(Marker.array.rawValue)
            writeU29(UInt32(truncatingIfNeeded: values.count) << 1 | 1, into: &buffer)
            writeText("", into: &buffer)
            for value in values { write(value, into: &buffer) }
        case .ecmaArray(let properties):
            buffer.writeInteger(Marker.array.rawValue)
            writeU29(1, into: &buffer)
            writeProperties(properties, into: &buffer)
        case .object(let properties, let className):
            buffer.writeInteger(Marker.object.rawValue)
            // The bits mean: not a reference, traits inline, not externalizable, dynamic, no sealed
            // members.
            writeU29(0b1011, into: &buffer)
            writeText(className, into: &buffer)
            writeProperties(properties, into: &buffer)
        }
    }

    static func writeU29(_ value: UInt32, into buffer: inout ByteBuffer) {
        // Lengths inside a message stay below 2^24; a longer length loses its upper bits.
        switch value & 0x1FFF_FFFF {
        case 0..<0x80:
            buffer.writeInteger(UInt8(truncatingIfNeeded: value))
        case 0x80..<0x4000:
            buffer.writeMultipleIntegers(UInt8(value >> 7 & 0x7F) | 0x80, UInt8(value & 0x7F))
        case 0x4000..<0x20_0000:
            buffer.writeMultipleIntegers(
                UInt8(value >> 14 & 0x7F) | 0x80, UInt8(value >> 7 & 0x7F) | 0x80,
                UInt8(value & 0x7F))
        default:
            buffer.writeMultipleIntegers(
                UInt8(value >> 22 & 0x7F) | 0x80, UInt8(value >> 15 & 0x7F) | 0x80,
                UInt8(value >> 8 & 0x7F) | 0x80, UInt8(value & 0xFF))
        }
    }

    private static func writeText(_ text: String, into buffer: inout ByteBuffer) {
        writeU29(UInt32(truncatingIfNeeded: text.utf8.count) << 1 | 1, into: &buffer)
        buffer.writeString(text)
    }

    private static func writeProperties(
        _ properties: [AMFValue.Property], into buffer: inout ByteBuffer
    ) {
        for property in properties where !property.name.isEmpty {
            writeText(property.name, into: &buffer)
            write(property.value, into: &buffer)
        }
        writeText("", into: &buffer)
    }
}
