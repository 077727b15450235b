public import NIOCore

/// AVCDecoderConfigurationRecord, "avcC" (ISO/IEC 14496-15, 5.3.3.1): the body of an AVC sequence
/// header.
public struct AVCDecoderConfigurationRecord: Hashable, Sendable {
    /// AVCProfileIndication; 66 Baseline, 77 Main, 100 High.
    public let profile: UInt8
    /// profile_compatibility: the constraint_set flags, set0 in the top bit.
    public let profileCompatibility: UInt8
    /// AVCLevelIndication: ten times the level.
    public let level: UInt8
    /// Bytes of each NAL unit length: 1, 2 or 4.
    public let nalUnitLengthSize: Int
    /// Sequence parameter sets, NAL header included; at most 31.
    public let sps: [ByteBuffer]
    /// Picture parameter sets, NAL header included; at most 255.
    public let pps: [ByteBuffer]
    /// Bytes after the parameter sets (chroma format, bit depths, SPS extensions in High profiles),
    /// unchanged.
    public let trailer: ByteBuffer

    /// Bytes of the record as it arrived. Containers get these bytes; the record is never written
    /// anew from the fields that were understood.
    public let bytes: ByteBuffer

    public init(
        profile: UInt8, profileCompatibility: UInt8, level: UInt8, nalUnitLengthSize: Int = 4,
        sps: [ByteBuffer], pps: [ByteBuffer], trailer: ByteBuffer = ByteBuffer()
    ) {
        self.profile = profile
        self.profileCompatibility = profileCompatibility
        self.level = level
        self.nalUnitLengthSize = nalUnitLengthSize
        self.sps = sps
        self.pps = pps
        self.trailer = trailer
        var record = ByteBuffer()
        record.writeBytes([
            1, profile, profileCompatibility, level,
            0xFC | UInt8(truncatingIfNeeded: nalUnitLengthSize - 1),
            0xE0 | UInt8(sps.prefix(31).count),
        ])
        for set in sps.prefix(31) { Self.write(set, into: &record) }
        record.writeInteger(UInt8(pps.prefix(255).count))
        for set in pps.prefix(255) { Self.write(set, into: &record) }
        record.writeImmutableBuffer(trailer)
        bytes = record
    }

    /// Reads the record that starts at the reader index and ends with the buffer.
    /// - Throws: `MediaError`: `.truncated`, or `.invalidValue` for a version other than 1 or a
    ///   length size of 3.
    public init(parsing record: ByteBuffer) throws {
        bytes = record.slice()
        var rest = record
        guard let head = rest.readBytes(length: 6) else {
            throw MediaError(.truncated, "an AVC configuration record has at least 6 bytes")
        }
        guard head[0] == 1 else {
            throw MediaError(.invalidValue, "configurationVersion \(head[0]) is not 1")
        }
        profile = head[1]
        profileCompatibility = head[2]
        level = head[3]
        nalUnitLengthSize = Int(head[4] & 0x3) + 1
        guard nalUnitLengthSize != 3 else {
            throw MediaError(.invalidValue, "lengthSizeMinusOne 2 is not allowed")
        }
        sps = try Self.readSets(Int(head[5] & 0x1F), from: &rest)
        guard let ppsCount: UInt8 = rest.readInteger() else {
            throw MediaError(.truncated, "the record ends before its picture parameter sets")
        }
        pps = try Self.readSets(Int(ppsCount), from: &rest)
        trailer = rest.slice()
    }

    private static func readSets(_ count: Int, from rest: inout ByteBuffer) throws -> [ByteBuffer] {
        var sets: [ByteBuffer] = []
        for _ in 0..<count {
            guard let set = rest.readLengthPrefixedSlice(as: UInt16.self) else {
                throw MediaError(.truncated, "the record ends within a parameter set")
            }
            sets.append(set)
        }
        return sets
    }

    /// Bytes of the record, as it arrived.
    public func encoded() -> ByteBuffer { bytes }

    private static func write(_ set: ByteBuffer, into record: inout ByteBuffer) {
        // The length of a parameter set has 16 bits.
        let set = set.getSlice(at: set.readerIndex, length: min(set.readableBytes, 0xFFFF)) ?? set
        record.writeInteger(UInt16(truncatingIfNeeded: set.readableBytes))
        record.writeImmutableBuffer(set)
    }
}
