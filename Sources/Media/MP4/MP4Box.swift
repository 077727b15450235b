import NIOCore

/// One box of an MP4 file.
struct MP4Box {
    let type: FourCC
    /// Offset of the box from the buffer's reader index.
    let offset: Int
    /// Bytes after the header.
    var body: ByteBuffer

    /// Returns the boxes that make up `bytes`.
    /// - Throws: `MediaError`: `.truncated`, or `.tooLarge` for more than 10,000 boxes.
    static func all(in bytes: ByteBuffer) throws -> [MP4Box] {
        var rest = bytes
        var boxes: [MP4Box] = []
        while rest.readableBytes > 0 {
            // A rest that is shorter than a box header is padding.
            if rest.readableBytes < 8 { break }
            let offset = bytes.readableBytes - rest.readableBytes
            guard let size32: UInt32 = rest.readInteger(), let type: UInt32 = rest.readInteger()
            else { throw MediaError(.truncated, "the file ends within a box's header") }
            var size = UInt64(size32)
            var header: UInt64 = 8
            if size32 == 1 {
                guard let size64: UInt64 = rest.readInteger() else {
                    throw MediaError(.truncated, "the file ends within a box's header")
                }
                size = size64
                header = 16
            } else if size32 == 0 {
                size = UInt64(rest.readableBytes) + header
            }
            guard size >= header, size - header <= UInt64(rest.readableBytes),
                let body = rest.readSlice(length: Int(size - header))
            else {
                throw MediaError(
                    .truncated, "the box '\(FourCC(rawValue: type))' is longer than what holds it")
            }
            guard boxes.count < 10_000 else {
                throw MediaError(.tooLarge, "over 10,000 boxes in a row")
            }
            boxes.append(MP4Box(type: FourCC(rawValue: type), offset: offset, body: body))
        }
        return boxes
    }

    /// Returns the boxes inside this box.
    func children() throws -> [MP4Box] { try Self.all(in: body) }

    /// Reads version and flags.
    mutating func versionAndFlags() throws -> (version: UInt8, flags: UInt32) {
        let bits = try u32()
        return (UInt8(bits >> 24), bits & 0xFF_FFFF)
    }

    mutating func u16() throws -> UInt16 { try integer() }
    mutating func u32() throws -> UInt32 { try integer() }
    mutating func u64() throws -> UInt64 { try integer() }

    private mutating func integer<Value: FixedWidthInteger>() throws -> Value {
        guard let value: Value = body.readInteger() else {
            throw MediaError(.truncated, "the box '\(type)' ends too early")
        }
        return value
    }

    mutating func skip(_ count: Int) throws {
        guard body.readSlice(length: count) != nil else {
            throw MediaError(.truncated, "the box '\(type)' ends too early")
        }
    }
}

extension [MP4Box] {
    func first(_ type: StaticString) throws -> MP4Box {
        let code = FourCC(type)
        guard let box = first(where: { $0.type == code }) else {
            throw MediaError(.invalidValue, "the box '\(code)' is missing")
        }
        return box
    }
}
