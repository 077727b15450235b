import Digests
import NIOCore

/// The digest of the "complex" handshake that Flash Player 9 introduced and FFmpeg, OBS and
/// librtmp send: an HMAC-SHA256 hidden at a position that four bytes of the packet give.
enum HandshakeDigest {
    static let packetLength = 1536
    static let length = 32

    /// Position of the digest block: after the key block (schema 0) or before it (schema 1).
    enum Schema: CaseIterable {
        case keyFirst
        case digestFirst

        var base: Int { self == .keyFirst ? 772 : 8 }
    }

    private static let tail: [UInt8] = [
        0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E,
        0x57, 0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB,
        0x31, 0xAE,
    ]
    static let playerName = Array("Genuine Adobe Flash Player 001".utf8)
    static let serverName = Array("Genuine Adobe Flash Media Server 001".utf8)
    static let playerKey = playerName + tail
    static let serverKey = serverName + tail

    static func hmac(_ data: some Sequence<UInt8>, key: [UInt8]) -> [UInt8] {
        SHA256.authenticationCode(of: Array(data), key: key)
    }

    static func position(in packet: [UInt8], _ schema: Schema) -> Int {
        let sum = packet[schema.base..<schema.base + 4].reduce(0) { $0 + Int($1) }
        return schema.base + 4 + sum % 728
    }

    private static func digest(of packet: [UInt8], at position: Int, key: [UInt8]) -> [UInt8] {
        hmac(packet[..<position] + packet[(position + length)...], key: key)
    }

    /// Finds the digest of C1 or S1 and its schema; returns nil if the packet carries no valid
    /// digest.
    static func find(in packet: [UInt8], key: [UInt8]) -> (digest: [UInt8], schema: Schema)? {
        for schema in Schema.allCases {
            let position = position(in: packet, schema)
            let expected = digest(of: packet, at: position, key: key)
            if expected.elementsEqual(packet[position..<position + length]) {
                return (expected, schema)
            }
        }
        return nil
    }

    /// Signs C1 or S1 in place.
    static func sign(_ packet: inout [UInt8], _ schema: Schema, key: [UInt8]) {
        let position = position(in: packet, schema)
        let value = digest(of: packet, at: position, key: key)
        packet.replaceSubrange(position..<position + length, with: value)
    }

    /// Makes C2 or S2: random bytes, the last 32 of which answer the peer's digest.
    static func answer(_ random: [UInt8], to digest: [UInt8], key: [UInt8]) -> [UInt8] {
        let body = random[..<(packetLength - length)]
        return Array(body) + hmac(body, key: hmac(digest, key: key))
    }

    static func random(using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(packetLength)
        while bytes.count < packetLength {
            withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}
