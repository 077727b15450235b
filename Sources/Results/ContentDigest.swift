import Crypto

/// SHA-256 as results print it.
public enum ContentDigest {
    /// - Returns: 64 lower-case hexadecimal digits.
    public static func sha256(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }

    /// The digest of a text in UTF-8.
    public static func sha256(_ text: String) -> String { sha256(Array(text.utf8)) }
}
