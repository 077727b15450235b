import Glibc
import HTTPWire

/// Addresses with a common beginning: `192.0.2.0/24`, `2001:db8::/32`, or one address.
struct AddressRange: Sendable, Hashable {
    /// Bytes of the address; an IPv4 address is mapped to an IPv6 address.
    private var bytes: [UInt8]
    private var bits: Int

    /// Reads an address or a range; nil if `text` is neither.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.bytes(String(first)) else { return nil }
        let isIPv4 = !first.contains(":")
        let width = isIPv4 ? 32 : 128
        var bits = width
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let given = Int(parts[1]), (0...width).contains(given)
            else { return nil }
            bits = given
        }
        self.bytes = bytes
        self.bits = isIPv4 ? bits + 96 : bits
    }

    private static func bytes(_ address: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, address, &four) == 1 {
            return [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
                + withUnsafeBytes(of: &four) { Array($0) }
        }
        // A scope, as in fe80::1%eth0, is not part of the address.
        var six = in6_addr()
        let plain = String(address.prefix { $0 != "%" })
        guard inet_pton(AF_INET6, plain, &six) == 1 else { return nil }
        return withUnsafeBytes(of: &six) { Array($0) }
    }

    /// Name under which an address is counted. A whole /64 of IPv6 counts as one address, because a
    /// peer with one address in it can use all of them.
    static func site(of address: String) -> String {
        guard address.contains(":"), let bytes = bytes(address),
            bytes[..<12] != [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        else { return address }
        return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ".") + "/64"
    }

    func contains(_ address: String) -> Bool {
        guard let other = Self.bytes(address) else { return false }
        let whole = bits / 8
        guard bytes[..<whole] == other[..<whole] else { return false }
        let rest = bits % 8
        return rest == 0 || (bytes[whole] ^ other[whole]) >> (8 - rest) == 0
    }

    /// Whether this is the machine's own address, in whatever form.
    static func isLoopback(_ address: String) -> Bool {
        loopback.contains { $0.contains(address) }
    }

    private static let loopback = ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) }
}

/// Rules on the addresses from which an action is allowed. A denied address is denied; if any
/// address is allowed, all others are denied.
public struct AddressRules: Sendable, Codable, Hashable {
    /// Addresses or ranges (CIDR).
    public var allow: [String]
    public var deny: [String]

    public init(allow: [String] = [], deny: [String] = []) {
        self.allow = allow
        self.deny = deny
    }

    /// Fault of the rules; nil if there is none.
    var problem: String? {
        for text in allow + deny where AddressRange(text) == nil {
            return
                "'\(text.printable)' is no address and no range of addresses; give for example 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
        }
        return nil
    }

    /// The rules in a form that can be checked fast.
    struct Table: Sendable {
        private let allow: [AddressRange]
        private let deny: [AddressRange]

        init(_ rules: AddressRules) {
            allow = rules.allow.compactMap { AddressRange($0) }
            deny = rules.deny.compactMap { AddressRange($0) }
        }

        var isOpen: Bool { allow.isEmpty && deny.isEmpty }

        /// - Parameter address: Address of the peer; nil if it has none, for example because it is
        ///   gone already.
        func admits(_ address: String?) -> Bool {
            guard let address else { return allow.isEmpty }
            if deny.contains(where: { $0.contains(address) }) { return false }
            return allow.isEmpty || allow.contains { $0.contains(address) }
        }
    }
}
