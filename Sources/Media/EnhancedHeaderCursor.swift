/// Reads the fields that Enhanced RTMP's audio and video headers share (Enhanced RTMP v2).
struct EnhancedHeaderCursor {
    let bytes: UnsafeRawBufferPointer
    /// Offset of the first unread byte; the flags byte has been read.
    var offset = 1
    var packetType: UInt8

    init(bytes: UnsafeRawBufferPointer, packetType: UInt8) {
        self.bytes = bytes
        self.packetType = packetType
    }

    mutating func byte() -> UInt8? {
        guard offset < bytes.count else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func fourCC() -> FourCC? {
        guard bytes.count - offset >= 4 else { return nil }
        var value: UInt32 = 0
        for i in 0..<4 { value = value << 8 | UInt32(bytes[offset + i]) }
        offset += 4
        return FourCC(rawValue: value)
    }

    /// Skips ModEx prefixes. Each prefix takes at least three bytes, so the loop is bounded.
    mutating func skipModifiers(marker: UInt8) -> Bool {
        while packetType == marker {
            guard let shortSize = byte() else { return false }
            var size = Int(shortSize) + 1
            if size == 256 {
                guard let high = byte(), let low = byte() else { return false }
                size = (Int(high) << 8 | Int(low)) + 1
            }
            guard bytes.count - offset > size else { return false }
            offset += size
            guard let next = byte() else { return false }
            packetType = next & 0x0F
        }
        return true
    }

    /// Reads AvMultitrackType: 0 is one track, 1 many tracks of one codec, 2 many tracks of many
    /// codecs.
    mutating func multitrack() -> (isSingle: Bool, hasFourCC: Bool)? {
        guard let field = byte(), field >> 4 <= 2 else { return nil }
        packetType = field & 0x0F
        return (isSingle: field >> 4 == 0, hasFourCC: field >> 4 != 2)
    }
}
