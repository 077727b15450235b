import COpenSSL

/// SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), by the system's libcrypto.
///
/// The system's library takes the place of swift-crypto, whose own copy of BoringSSL takes two
/// minutes of every clean build.
public enum SHA256 {
    /// Number of bytes of a digest.
    public static let length = Int(SHA256_DIGEST_LENGTH)

    /// Returns the digest of `bytes`: 32 bytes.
    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: length) { digest, count in
            _ = COpenSSL.SHA256(bytes, bytes.count, digest.baseAddress)
            count = length
        }
    }

    /// Returns the authentication code of `bytes` under `key`: 32 bytes.
    public static func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: length) { digest, count in
            _ = HMAC(
                EVP_sha256(), key, Int32(clamping: key.count), bytes, bytes.count,
                digest.baseAddress, nil)
            count = length
        }
    }

    /// Returns the digest of `bytes` as 64 lower-case hexadecimal digits.
    public static func hexadecimal(_ bytes: [UInt8]) -> String {
        hash(bytes).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }
}
