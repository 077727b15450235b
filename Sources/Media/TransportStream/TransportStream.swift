/// Numbers of MPEG-2 transport streams (ISO/IEC 13818-1).
enum TransportStream {
    static let packetSize = 188
    static let syncByte: UInt8 = 0x47
    static let patPID: UInt16 = 0
    static let pmtPID: UInt16 = 0x1000
    static let videoPID: UInt16 = 0x100
    static let audioPID: UInt16 = 0x101
    static let streamTypeAVC: UInt8 = 0x1B
    static let streamTypeADTS: UInt8 = 0x0F
    static let timestampMask: Int64 = (1 << 33) - 1

    /// CRC_32 of sections (annex A): polynomial 0x04C11DB7, not reflected.
    static func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte) << 24
            for _ in 0..<8 {
                crc = crc & 0x8000_0000 != 0 ? crc << 1 ^ 0x04C1_1DB7 : crc << 1
            }
        }
        return crc
    }
}
