public import NIOCore

/// The byte stream format of H.264 annex B: NAL units behind start codes.
public enum AnnexB {
    /// Returns the NAL units of a byte stream as slices, without start codes and trailing zeros.
    /// Bytes before the first start code belong to no unit.
    public static func units(_ stream: ByteBuffer) -> [ByteBuffer] {
        let ranges = stream.withUnsafeReadableBytes { unitRanges($0) }
        return ranges.compactMap {
            stream.getSlice(at: stream.readerIndex + $0.lowerBound, length: $0.count)
        }
    }

    static func unitRanges(_ bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = firstStartCode(bytes, from: 0)
        while let code = start {
            let next = firstStartCode(bytes, from: code + 3)
            var end = next ?? bytes.count
            while end > code + 3, bytes[end - 1] == 0 { end -= 1 }
            if end > code + 3 { ranges.append(code + 3..<end) }
            start = next
        }
        return ranges
    }

    /// Returns the offset of the next `00 00 01` at or after `from`.
    static func firstStartCode(_ bytes: UnsafeRawBufferPointer, from: Int) -> Int? {
        var i = from + 2
        while i < bytes.count {
            if bytes[i] > 1 {
                i += 3
            } else if bytes[i] == 1 {
                if bytes[i - 1] == 0, bytes[i - 2] == 0 { return i - 2 }
                i += 3
            } else {
                i += 1
            }
        }
        return nil
    }

    /// Makes a byte stream with four-byte start codes from length-prefixed NAL units.
    /// - Throws: `MediaError` as `NALUnitReader` does.
    public static func fromLengthPrefixed(
        _ accessUnit: ByteBuffer, lengthSize: Int
    ) throws -> ByteBuffer {
        var reader = try NALUnitReader(accessUnit, lengthSize: lengthSize)
        var stream = ByteBuffer()
        stream.reserveCapacity(accessUnit.readableBytes + 16)
        while let unit = try reader.next() {
            stream.writeInteger(UInt32(1))
            stream.writeImmutableBuffer(unit)
        }
        return stream
    }

    /// Makes length-prefixed NAL units from a byte stream.
    /// - Parameter lengthSize: Bytes of each length, 1…4.
    /// - Throws: `MediaError.invalidValue` for another length size, `.tooLarge` if a NAL unit's
    ///   length does not fit into it.
    public static func toLengthPrefixed(
        _ stream: ByteBuffer, lengthSize: Int
    ) throws -> ByteBuffer {
        guard (1...4).contains(lengthSize) else {
            throw MediaError(.invalidValue, "a NAL unit length of \(lengthSize) bytes is not 1…4")
        }
        var accessUnit = ByteBuffer()
        accessUnit.reserveCapacity(stream.readableBytes + 16)
        for unit in units(stream) {
            let length = unit.readableBytes
            guard length >> (8 * lengthSize) == 0 else {
                throw MediaError(
                    .tooLarge, "a NAL unit of \(length) bytes has no length of \(lengthSize) bytes")
            }
            for shift in (0..<lengthSize).reversed() {
                accessUnit.writeInteger(UInt8(truncatingIfNeeded: length >> (8 * shift)))
            }
            accessUnit.writeImmutableBuffer(unit)
        }
        return accessUnit
    }
}
