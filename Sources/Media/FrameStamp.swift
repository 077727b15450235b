public import NIOCore

/// A frame's identity and intended send time, carried through a server inside the video itself.
///
/// The stamp travels in one SEI NAL unit, user_data_unregistered (H.264 D.1.7), under a UUID of
/// Millrace. The fields are base-128 with every top bit set. No byte is zero, so the unit never
/// needs emulation prevention, always has the same length and can be overwritten in place.
public struct FrameStamp: Hashable, Sendable {
    /// Number of the stream of the run that the frame belongs to.
    public var streamID: UInt32
    /// Counts the video frames of the stream in decode order, from 0.
    public var frameNumber: UInt64
    /// Time at which the pacing schedule meant to send the frame, in nanoseconds of the run's
    /// clock.
    public var intendedNanoseconds: Int64
    /// Time by which the sender handed the frame to its socket later than intended. The difference
    /// between corrected and uncorrected delay is this time.
    public var latenessMicroseconds: UInt32

    public init(
        streamID: UInt32, frameNumber: UInt64, intendedNanoseconds: Int64,
        latenessMicroseconds: UInt32 = 0
    ) {
        self.streamID = streamID
        self.frameNumber = frameNumber
        self.intendedNanoseconds = intendedNanoseconds
        self.latenessMicroseconds = latenessMicroseconds
    }

    /// uuid_iso_iec_11578 of Millrace's stamps: random bytes, none of them zero.
    public static let uuid: [UInt8] = [
        0x8B, 0x3F, 0xD1, 0x74, 0xA6, 0x5C, 0x4E, 0x92,
        0xB7, 0x19, 0xE3, 0x6D, 0x2A, 0xF8, 0xC5, 0x47,
    ]

    /// Length of the encoded fields in bytes: 5 of the stream ID, 10 of the frame number, 10 of the
    /// intended time, 5 of the lateness.
    public static let fieldsLength = 30
    /// Bytes before the fields in the NAL unit: header, payload type, payload size, UUID.
    public static let fieldsOffset = 3 + 16
    /// Bytes of the whole NAL unit, without a length or start code.
    public static let nalUnitLength = fieldsOffset + fieldsLength + 1

    /// Bytes by which a stamp is recognised: payloadType 5, payloadSize, then the UUID.
    static let signature: [UInt8] = [5, UInt8(16 + fieldsLength)] + uuid

    /// The SEI NAL unit without a length or start code.
    public var nalUnit: ByteBuffer {
        var unit = ByteBuffer()
        unit.reserveCapacity(Self.nalUnitLength)
        unit.writeInteger(NALUnitType.sei.rawValue)
        unit.writeBytes(Self.signature)
        unit.writeRepeatingByte(0x80, count: Self.fieldsLength)
        unit.writeInteger(UInt8(0x80))
        patch(&unit, at: Self.fieldsOffset)
        return unit
    }

    /// Overwrites the fields of a stamp that is already in `buffer`.
    /// - Parameter offset: Offset of the fields (after the UUID), counted from the reader index.
    /// - Precondition: `fieldsLength` bytes are readable there.
    public func patch(_ buffer: inout ByteBuffer, at offset: Int) {
        precondition(
            offset >= 0 && offset + Self.fieldsLength <= buffer.readableBytes,
            "the stamp's fields lie within the payload")
        buffer.withUnsafeMutableReadableBytes { bytes in
            Self.encode(UInt64(streamID), into: bytes, at: offset, count: 5)
            Self.encode(frameNumber, into: bytes, at: offset + 5, count: 10)
            Self.encode(
                UInt64(bitPattern: intendedNanoseconds), into: bytes, at: offset + 15, count: 10)
            Self.encode(UInt64(latenessMicroseconds), into: bytes, at: offset + 25, count: 5)
        }
    }

    private static func encode(
        _ value: UInt64, into bytes: UnsafeMutableRawBufferPointer, at offset: Int, count: Int
    ) {
        var rest = value
        for i in (0..<count).reversed() {
            bytes[offset + i] = 0x80 | UInt8(truncatingIfNeeded: rest & 0x7F)
            rest >>= 7
        }
    }

    /// Decodes the fields at `offset`. Returns `nil` if a top bit is clear, a value overflows or
    /// the bytes end.
    static func fields(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> FrameStamp? {
        guard offset >= 0, bytes.count - offset >= fieldsLength,
            let streamID = decode(bytes, at: offset, count: 5), streamID <= UInt64(UInt32.max),
            let frameNumber = decode(bytes, at: offset + 5, count: 10),
            let intended = decode(bytes, at: offset + 15, count: 10),
            let lateness = decode(bytes, at: offset + 25, count: 5), lateness <= UInt64(UInt32.max)
        else { return nil }
        return FrameStamp(
            streamID: UInt32(streamID), frameNumber: frameNumber,
            intendedNanoseconds: Int64(bitPattern: intended),
            latenessMicroseconds: UInt32(lateness))
    }

    private static func decode(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, count: Int
    ) -> UInt64? {
        var value: UInt64 = 0
        for i in offset..<offset + count {
            guard bytes[i] & 0x80 != 0, value >> 57 == 0 else { return nil }
            value = value << 7 | UInt64(bytes[i] & 0x7F)
        }
        return value
    }
}
