import Crypto

/// SHA-256 as results print it.
enum ContentHash {
    /// Lower-case hexadecimal, 64 digits.
    static func text(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }
}
