/// Writes classic pcap files with nanosecond times, little-endian.
public enum PcapWriter {
    /// Makes the 24 bytes that a file begins with.
    public static func fileHeader(linkType: LinkType, snapLength: UInt32 = 262_144) -> [UInt8] {
        var bytes: [UInt8] = []
        append(0xA1B2_3C4D, to: &bytes)
        append(4 << 16 | 2, to: &bytes)
        append(0, to: &bytes)
        append(0, to: &bytes)
        append(snapLength, to: &bytes)
        append(linkType.rawValue, to: &bytes)
        return bytes
    }

    /// Appends one packet record. Times before 1970 become 1970; times after 2106 wrap.
    public static func append(
        timestampNanoseconds: Int64, captured: UnsafeRawBufferPointer, originalLength: Int,
        to bytes: inout [UInt8]
    ) {
        let time = max(0, timestampNanoseconds)
        let header = (
            UInt32(truncatingIfNeeded: time / 1_000_000_000).littleEndian,
            UInt32(time % 1_000_000_000).littleEndian,
            UInt32(clamping: captured.count).littleEndian,
            UInt32(clamping: originalLength).littleEndian
        )
        withUnsafeBytes(of: header) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: captured)
    }

    private static func append(_ value: UInt32, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
