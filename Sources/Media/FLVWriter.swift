public import NIOCore

/// Writes the FLV file format (FLV 10.1, annex E).
public enum FLVWriter {
    /// The largest tag body the format can carry, in bytes.
    public static let maximumTagSize = 0xFF_FFFF

    /// Makes the 9-byte file header followed by PreviousTagSize0.
    public static func fileHeader(hasAudio: Bool, hasVideo: Bool) -> ByteBuffer {
        let flags: UInt8 = (hasAudio ? 0x04 : 0) | (hasVideo ? 0x01 : 0)
        return ByteBuffer(bytes: [0x46, 0x4C, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0])
    }

    /// Appends the 11-byte tag header, the body and PreviousTagSize.
    /// - Precondition: the body has at most `maximumTagSize` bytes.
    public static func write(tag: FLVTag, into buffer: inout ByteBuffer) {
        let size = tag.payload.readableBytes
        precondition(size <= maximumTagSize, "an FLV tag body has at most 16 MiB - 1 bytes")
        buffer.reserveCapacity(minimumWritableBytes: size + 15)
        let flags = tag.type.rawValue | (tag.isFiltered ? 0x20 : 0)
        buffer.writeInteger(UInt32(flags) << 24 | UInt32(size))
        buffer.writeInteger(tag.timestamp << 8 | tag.timestamp >> 24)
        buffer.writeRepeatingByte(0, count: 3)  // StreamID
        buffer.writeImmutableBuffer(tag.payload)
        buffer.writeInteger(UInt32(size + 11))
    }
}
