/// One end of a TCP connection. IPv4 addresses are held mapped into IPv6 (RFC 4291, 2.5.5.2).
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    var high: UInt64
    var low: UInt64
    public var port: UInt16

    init(high: UInt64, low: UInt64, port: UInt16) {
        self.high = high
        self.low = low
        self.port = port
    }

    init(ipv4: UInt32, port: UInt16) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(ipv4), port: port)
    }

    public var address: String {
        if high == 0, low >> 32 == 0xFFFF {
            return (0..<4).map { String(low >> (24 - 8 * UInt64($0)) & 0xFF) }.joined(
                separator: ".")
        }
        return [high, low].flatMap { half in
            (0..<4).map { String(half >> (48 - 16 * UInt64($0)) & 0xFFFF, radix: 16) }
        }.joined(separator: ":")
    }

    public var description: String { "\(address) port \(port)" }
}
