public import NIOCore

/// Walks the length-prefixed NAL units of an AVC access unit (ISO/IEC 14496-15, 5.2.3) without
/// copying; each is a slice that shares the buffer's storage.
public struct NALUnitReader: Sendable {
    private var buffer: ByteBuffer
    private let lengthSize: Int

    /// - Parameters:
    ///   - accessUnit: The bytes after the video tag's header.
    ///   - lengthSize: Bytes of each length, 1…4 (`nalUnitLengthSize` of the configuration).
    /// - Throws: `MediaError.invalidValue` for another length size.
    public init(_ accessUnit: ByteBuffer, lengthSize: Int) throws {
        guard (1...4).contains(lengthSize) else {
            throw MediaError(.invalidValue, "a NAL unit length of \(lengthSize) bytes is not 1…4")
        }
        buffer = accessUnit
        self.lengthSize = lengthSize
    }

    /// Returns the next NAL unit, which is never empty (empty units are skipped); `nil` at the end.
    /// - Throws: `MediaError.truncated` if a length runs past the end.
    public mutating func next() throws -> ByteBuffer? {
        while buffer.readableBytes > 0 {
            guard let prefix = buffer.readBytes(length: lengthSize) else {
                throw MediaError(.truncated, "the access unit ends within a NAL unit length")
            }
            let length = prefix.reduce(0) { $0 << 8 | Int($1) }
            guard let unit = buffer.readSlice(length: length) else {
                throw MediaError(
                    .truncated,
                    "a NAL unit of \(length) bytes has only \(buffer.readableBytes) left")
            }
            if length > 0 { return unit }
        }
        return nil
    }

    /// Returns all NAL units of `accessUnit`.
    public static func units(_ accessUnit: ByteBuffer, lengthSize: Int) throws -> [ByteBuffer] {
        var reader = try NALUnitReader(accessUnit, lengthSize: lengthSize)
        var units: [ByteBuffer] = []
        while let unit = try reader.next() { units.append(unit) }
        return units
    }
}
