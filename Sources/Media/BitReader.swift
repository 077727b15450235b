/// Reads bits, most significant first, and Exp-Golomb codes (H.264 9.1); it never reads beyond the
/// end.
struct BitReader {
    private let bytes: [UInt8]
    private(set) var position = 0
    let bitCount: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        bitCount = bytes.count * 8
    }

    var remainingBits: Int { bitCount - position }

    /// Reads `count` bits, 0…32, as an unsigned number.
    mutating func bits(_ count: Int) throws -> UInt32 {
        guard count <= remainingBits else {
            throw MediaError(.truncated, "the bit string ends at bit \(bitCount)")
        }
        var value: UInt32 = 0
        for _ in 0..<count {
            value = value << 1 | UInt32(bytes[position >> 3] >> UInt8(7 - position & 7) & 1)
            position += 1
        }
        return value
    }

    mutating func flag() throws -> Bool { try bits(1) == 1 }

    mutating func skip(_ count: Int) throws {
        guard count <= remainingBits else {
            throw MediaError(.truncated, "the bit string ends at bit \(bitCount)")
        }
        position += count
    }

    /// Reads ue(v), which is at most 2^32 − 2.
    mutating func unsignedExpGolomb() throws -> UInt32 {
        var zeros = 0
        while try !flag() {
            zeros += 1
            if zeros > 31 {
                throw MediaError(.invalidValue, "an Exp-Golomb code has over 31 leading zeros")
            }
        }
        return try (UInt32(1) << UInt32(zeros)) - 1 + bits(zeros)
    }

    /// Reads ue(v) and refuses a value above `limit`.
    mutating func unsignedExpGolomb(limit: UInt32, _ name: String) throws -> Int {
        let value = try unsignedExpGolomb()
        guard value <= limit else {
            throw MediaError(.invalidValue, "\(name) is \(value), the limit is \(limit)")
        }
        return Int(value)
    }

    /// Reads se(v).
    mutating func signedExpGolomb() throws -> Int {
        let code = Int(try unsignedExpGolomb())
        return code & 1 == 1 ? (code + 1) / 2 : -(code / 2)
    }
}
