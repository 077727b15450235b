/// Captured packets of one kind that were not dissected, and the remedy.
public struct PassedOver: Codable, Hashable, Sendable {
    /// Reason why a packet is not dissected; `number` gives the exact kind.
    public enum Reason: String, Codable, Hashable, Sendable, CaseIterable {
        case linkType = "link-type"
        case addressFamily = "address-family"
        case etherType = "ether-type"
        case llc
        case pppProtocol = "ppp-protocol"
        case ipProtocol = "ip-protocol"
        case udp
        /// A tunnel of a kind that cannot be read, by IP protocol or UDP port.
        case tunnel
        case encrypted
        /// The packet has more layers than are followed.
        case nesting
        /// The snap length cut the packet inside its headers.
        case cutHeaders = "cut-headers"
        case fragments = "ip-fragments"
        case malformed
        case otherPorts = "other-ports"
        case connectionLimit = "connection-limit"
        /// There are more reasons than are counted separately.
        case others
    }

    public var reason: Reason
    /// Number of the link type, EtherType, protocol or port; nil if the reason has none.
    public var number: Int?
    public var packets: Int

    public init(_ reason: Reason, number: Int? = nil, packets: Int = 1) {
        self.reason = reason
        self.number = number
        self.packets = packets
    }

    /// Name of the packets, with their number.
    public var name: String {
        let number = number ?? 0
        switch reason {
        case .linkType: return "link type \(number)" + Self.bracketed(LayerNames.linkType(number))
        case .addressFamily: return "address family \(number)"
        case .etherType:
            let hex = String(number, radix: 16)
            let padded = String(repeating: "0", count: max(0, 4 - hex.count)) + hex
            return "EtherType 0x\(padded)" + Self.bracketed(LayerNames.etherType(number))
        case .llc: return "IEEE 802.2 frames without IP"
        case .pppProtocol:
            return "PPP protocol 0x\(String(number, radix: 16))"
                + Self.bracketed(LayerNames.pppProtocol(number))
        case .ipProtocol:
            return "IP protocol \(number)" + Self.bracketed(LayerNames.ipProtocol(number))
        case .udp:
            return number == 0
                ? "UDP" : "UDP port \(number)" + Self.bracketed(LayerNames.udpPort(number))
        case .tunnel: return "tunnel \(LayerNames.tunnel(number)) of a form that is not understood"
        case .encrypted: return "encrypted: \(LayerNames.encrypted(number))"
        case .nesting: return "more than \(PacketWalk.layerLimit) layers of tunnels"
        case .cutHeaders: return "cut inside their headers by the snap length"
        case .fragments: return "IP fragments of which the rest is missing"
        case .malformed: return "headers that contradict themselves"
        case .otherPorts: return "TCP of other ports than those asked for"
        case .connectionLimit: return "connections beyond the limit"
        case .others: return "further reasons"
        }
    }

    /// Remedy by which these packets would be understood, or the reason why none is needed.
    public var mend: String {
        switch reason {
        case .linkType, .addressFamily:
            return "capture on an Ethernet, loopback or 'any' interface"
        case .etherType:
            return LayerNames.isHarmless(etherType: number ?? 0)
                ? "none is needed: it carries no TCP"
                : "capture where the packets are plain IP, before or after this encapsulation"
        case .llc: return "none is needed: it carries no TCP"
        case .pppProtocol:
            return LayerNames.isHarmless(pppProtocol: number ?? 0)
                ? "none is needed: it carries no TCP"
                : "capture behind the PPP link, or with its compression off"
        case .ipProtocol: return "none is needed: it carries no TCP"
        case .udp:
            return number == 443
                ? "HTTP/3 cannot be read: have the player use HTTP/1.1"
                : "none is needed: it carries no TCP"
        case .tunnel, .nesting: return "capture inside the tunnel, on the interface where it ends"
        case .encrypted: return "capture where the traffic is plain, on the host itself"
        case .cutHeaders: return "capture with -s 0"
        case .fragments: return "capture without a port filter, which passes first fragments only"
        case .malformed: return "look at them with tshark; the capture may be damaged"
        case .otherPorts: return "leave --port out, or name these ports, too"
        case .connectionLimit: return "capture fewer connections, for example with a port filter"
        case .others: return "look at them with tshark"
        }
    }

    /// Whether the packets may have carried media, so that the figures may lack them.
    public var mayMatter: Bool { !mend.hasPrefix("none is needed") && reason != .otherPorts }

    private static func bracketed(_ name: String?) -> String { name.map { " (\($0))" } ?? "" }
}

/// Counts of packets by the reason why they were not dissected, with a limit on the number of
/// reasons.
struct PassedOverCounts {
    static let limit = 128

    private struct Key: Hashable {
        var reason: PassedOver.Reason
        var number: Int?
    }

    private var counts: [Key: Int] = [:]

    mutating func add(_ passed: PassedOver) {
        var key = Key(reason: passed.reason, number: passed.number)
        if counts[key] == nil, counts.count >= Self.limit { key = Key(reason: .others) }
        counts[key, default: 0] += passed.packets
    }

    func count(of reason: PassedOver.Reason) -> Int {
        counts.reduce(0) { $0 + ($1.key.reason == reason ? $1.value : 0) }
    }

    /// Rows with the most frequent first.
    var rows: [PassedOver] {
        counts.map { PassedOver($0.key.reason, number: $0.key.number, packets: $0.value) }.sorted {
            ($1.packets, $0.reason.rawValue, $0.number ?? 0)
                < ($0.packets, $1.reason.rawValue, $1.number ?? 0)
        }
    }
}
