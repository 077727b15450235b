import NIOCore

/// Writes ISO base media file format boxes (ISO/IEC 14496-12, 4.2).
struct MP4BoxWriter {
    var bytes = ByteBuffer()

    /// Writes a box around the bytes that `body` writes; the size of the box is filled in
    /// afterwards.
    mutating func box(_ type: StaticString, _ body: (inout MP4BoxWriter) -> Void) {
        let start = bytes.writerIndex
        bytes.writeInteger(UInt32(0))
        type.withUTF8Buffer { _ = bytes.writeBytes($0) }
        body(&self)
        bytes.setInteger(UInt32(bytes.writerIndex - start), at: start)
    }

    /// Writes a box with version and flags (4.2.2).
    mutating func fullBox(
        _ type: StaticString, version: UInt8 = 0, flags: UInt32 = 0,
        _ body: (inout MP4BoxWriter) -> Void = { _ in }
    ) {
        box(type) { writer in
            writer.u32(UInt32(version) << 24 | flags)
            body(&writer)
        }
    }

    mutating func u8(_ value: UInt8) { bytes.writeInteger(value) }
    mutating func u16(_ value: UInt16) { bytes.writeInteger(value) }
    mutating func u32(_ value: UInt32) { bytes.writeInteger(value) }
    mutating func u64(_ value: UInt64) { bytes.writeInteger(value) }
    mutating func zeros(_ count: Int) { bytes.writeRepeatingByte(0, count: count) }
    mutating func ascii(_ text: StaticString) {
        text.withUTF8Buffer { _ = bytes.writeBytes($0) }
    }

    /// Writes the unity transformation matrix.
    mutating func matrix() {
        for value: UInt32 in [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000] { u32(value) }
    }
}
