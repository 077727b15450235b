import Digests

/// SHA-256 as results print it.
public enum ContentDigest {
    /// - Returns: 64 lower-case hexadecimal digits.
    public static func sha256(_ bytes: [UInt8]) -> String {
        SHA256.hexadecimal(bytes)
    }

    /// The digest of a text in UTF-8.
    public static func sha256(_ text: String) -> String { sha256(Array(text.utf8)) }
}
