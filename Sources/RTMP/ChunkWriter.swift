public import NIOCore

/// Writes messages as chunks. Every message starts with a type 0 header, so its bytes depend on
/// nothing that was sent before, and subscribers with the same chunk size share them.
public struct ChunkWriter: Sendable {
    /// Chunk sizes that can be used; a size outside this range is moved to the nearer end.
    public static let chunkSizes = 1...0x7FFF_FFFF
    /// Largest payload, in bytes, that a message's length field can state.
    public static let payloadLimit = 0xFF_FFFF

    /// Chunk size of what is written. The peer must have received it in a Set Chunk Size message
    /// first.
    public var chunkSize: Int {
        didSet { chunkSize = Self.clamped(chunkSize) }
    }

    public init(chunkSize: Int = 128) { self.chunkSize = Self.clamped(chunkSize) }

    private static func clamped(_ size: Int) -> Int {
        min(max(size, chunkSizes.lowerBound), chunkSizes.upperBound)
    }

    /// Number of bytes that `write` will append for `message`.
    public func encodedLength(_ message: Message) -> Int {
        let length = message.payload.readableBytes
        let header = Self.headerLength(message)
        // Most messages have one chunk, and a division takes longer than the rest of this function.
        guard length > chunkSize else { return header + length }
        let continuations = (length + chunkSize - 1) / chunkSize - 1
        return header + length + continuations * (header - 11)
    }

    /// Number of bytes that `write` will append before the payload's first byte.
    public static func headerLength(_ message: Message) -> Int {
        let basic = message.chunkStreamID < 64 ? 1 : message.chunkStreamID < 320 ? 2 : 3
        return basic + 11 + (message.timestamp >= 0xFF_FFFF ? 4 : 0)
    }

    /// Appends `message`. An extended timestamp is repeated in every type 3 chunk, as the
    /// specification of 2012 says.
    ///
    /// - Throws: `RTMPError.limitExceeded` if the payload exceeds `payloadLimit` bytes,
    ///   `.chunkStream` if the chunk stream ID has no encoding; in both cases nothing has been
    ///   written.
    public func write(_ message: Message, into buffer: inout ByteBuffer) throws(RTMPError) {
        try Self.check(message)
        append(message, to: &buffer)
    }

    /// - Throws: What `write` would throw for the message.
    public static func check(_ message: Message) throws(RTMPError) {
        guard message.payload.readableBytes <= payloadLimit else {
            throw RTMPError(
                .limitExceeded,
                "a message of \(message.payload.readableBytes) bytes cannot be sent; RTMP's length field ends at \(payloadLimit)"
            )
        }
        guard (2...65599).contains(message.chunkStreamID) else {
            throw RTMPError(
                .chunkStream, "the chunk stream ID \(message.chunkStreamID) is not in 2…65599")
        }
    }

    /// Appends a control message, which always fits.
    public func write(_ control: ControlMessage, into buffer: inout ByteBuffer) {
        append(control.message, to: &buffer)
    }

    private func append(_ message: Message, to buffer: inout ByteBuffer) {
        let length = message.payload.readableBytes
        buffer.reserveCapacity(minimumWritableBytes: encodedLength(message))
        let isExtended = message.timestamp >= 0xFF_FFFF
        let time = isExtended ? 0xFF_FFFF : message.timestamp
        writeBasicHeader(format: 0, message.chunkStreamID, into: &buffer)
        // The 11 bytes of the message header are one write, because each write checks the buffer's
        // owner and room: timestamp, length and type, and the stream ID in little-endian order.
        buffer.writeMultipleIntegers(
            UInt8(truncatingIfNeeded: time >> 16), UInt16(truncatingIfNeeded: time),
            UInt32(truncatingIfNeeded: length) << 8 | UInt32(message.type.rawValue),
            message.messageStreamID.byteSwapped)
        if isExtended { buffer.writeInteger(message.timestamp) }
        message.payload.withUnsafeReadableBytes { payload in
            var start = 0
            while start < length {
                if start > 0 {
                    writeBasicHeader(format: 3, message.chunkStreamID, into: &buffer)
                    if isExtended { buffer.writeInteger(message.timestamp) }
                }
                let end = min(length, start + chunkSize)
                buffer.writeBytes(UnsafeRawBufferPointer(rebasing: payload[start..<end]))
                start = end
            }
        }
    }

    private func writeBasicHeader(format: UInt8, _ id: UInt32, into buffer: inout ByteBuffer) {
        if id < 64 {
            buffer.writeInteger(format << 6 | UInt8(id))
        } else if id < 320 {
            buffer.writeInteger(format << 6)
            buffer.writeInteger(UInt8(id - 64))
        } else {
            buffer.writeInteger(format << 6 | 1)
            buffer.writeInteger(UInt8((id - 64) & 0xFF))
            buffer.writeInteger(UInt8((id - 64) >> 8))
        }
    }
}

extension ByteBuffer {
    mutating func readInteger24() -> UInt32? {
        readMultipleIntegers(as: (UInt8, UInt16).self).map { UInt32($0) << 16 | UInt32($1) }
    }
}
