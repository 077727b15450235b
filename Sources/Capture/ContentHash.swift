/// A 64-bit hash of a message's payload, which does not depend on how the payload is split.
///
/// The hash is not cryptographic: a 64×64→128-bit multiplication mixes each 8 bytes.
struct ContentHash {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var tail: UInt64 = 0
    private var tailBytes: UInt64 = 0
    private var length: UInt64 = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var offset = 0
        while tailBytes > 0, offset < bytes.count {
            push(bytes[offset])
            offset += 1
        }
        var state = state
        while offset + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            state = Self.mix(state ^ UInt64(littleEndian: word))
            offset += 8
        }
        self.state = state
        while offset < bytes.count {
            push(bytes[offset])
            offset += 1
        }
    }

    /// Hash of all bytes so far; `kind` makes equal bytes of different kinds differ.
    func value(kind: UInt8) -> UInt64 {
        Self.mix(Self.mix(state ^ tail) ^ (length << 8 | UInt64(kind)))
    }

    private mutating func push(_ byte: UInt8) {
        tail |= UInt64(byte) << (8 * tailBytes)
        tailBytes += 1
        if tailBytes == 8 {
            state = Self.mix(state ^ tail)
            tail = 0
            tailBytes = 0
        }
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let (high, low) = (value ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(
            by: 0xE703_7ED1_A0B4_28DB)
        // The value itself is mixed in again, because a product of 0 would lose it.
        return high ^ low ^ value
    }
}
