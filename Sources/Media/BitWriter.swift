/// Writes bits, most significant first, and Exp-Golomb codes (H.264 9.1).
struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var pending: UInt64 = 0
    private var pendingBits = 0

    var bitCount: Int { bytes.count * 8 + pendingBits }

    /// Writes the low `count` bits of `value`; `count` is 0…32.
    mutating func bits(_ value: UInt32, _ count: Int) {
        guard count > 0 else { return }
        let mask = (UInt64(1) << UInt64(count)) - 1
        pending = pending << UInt64(count) | UInt64(value) & mask
        pendingBits += count
        while pendingBits >= 8 {
            pendingBits -= 8
            bytes.append(UInt8(truncatingIfNeeded: pending >> UInt64(pendingBits)))
        }
        pending &= (UInt64(1) << UInt64(pendingBits)) - 1
    }

    mutating func flag(_ value: Bool) { bits(value ? 1 : 0, 1) }

    /// Writes ue(v) of a value below 2^31.
    mutating func unsignedExpGolomb(_ value: Int) {
        let code = UInt32(value + 1)
        let length = 32 - code.leadingZeroBitCount
        bits(0, length - 1)
        bits(code, length)
    }

    /// Writes zero bits up to the next byte boundary.
    mutating func align() {
        if pendingBits > 0 { bits(0, 8 - pendingBits) }
    }

    /// Appends whole bytes at a byte boundary.
    mutating func append(_ more: some Sequence<UInt8>) {
        precondition(pendingBits == 0, "bytes are appended at a byte boundary")
        bytes.append(contentsOf: more)
    }

    /// Writes rbsp_trailing_bits (H.264 7.3.2.11).
    mutating func trailingBits() {
        bits(1, 1)
        align()
    }
}
