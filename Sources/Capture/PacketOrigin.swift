/// Place at which a packet was captured, as far as the capture states it: the fields that differ
/// between two copies of one packet that went through several interfaces of a host.
struct PacketOrigin: Hashable {
    /// Number of the capture's interface: pcapng's, or PKTAP's name as a number; nil if the capture
    /// does not distinguish interfaces.
    var interface: UInt32?
    /// Interface index of a cooked capture, version 2.
    var index: UInt32?
    /// Packet type of a cooked capture, such as PACKET_HOST (0) and PACKET_OUTGOING (4).
    var packetType: UInt8?
    /// Hash of the link addresses: both of Ethernet, or the sender's of a cooked capture.
    var address: UInt64 = 0
    /// Number of the innermost VLAN.
    var vlan: UInt16?
    /// Kind and number of the innermost tunnel around the packet.
    var tunnel: UInt16 = 0
    var tunnelNumber: UInt32 = 0

    /// Whether the capture states over which of several ways a packet came.
    var isTold: Bool {
        index != nil || interface != nil || packetType != nil || vlan != nil || tunnel != 0
    }

    /// A number that differs if the origins do.
    var hash: UInt32 {
        var state = ContentMix()
        state.add(UInt64(interface ?? .max) << 32 | UInt64(index ?? .max))
        state.add(address)
        state.add(UInt64(vlan ?? .max) << 32 | UInt64(packetType ?? .max))
        state.add(UInt64(tunnel) << 32 | UInt64(tunnelNumber))
        return UInt32(truncatingIfNeeded: state.value ^ state.value >> 32)
    }

    /// Name for a report, which distinguishes this origin from others.
    func name(interfaces: [UInt32: String]) -> String {
        var parts: [String] = []
        if let index {
            parts.append("interface \(index)")
        } else if let interface {
            parts.append(interfaces[interface] ?? "interface \(interface)")
        } else if let packetType {
            parts.append(
                (packetType == 4 ? "outgoing" : "incoming") + " at \(Self.spelled(address))")
        }
        if let vlan { parts.append("VLAN \(vlan)") }
        if tunnel != 0 { parts.append("in \(LayerNames.tunnel(Int(tunnel))) \(tunnelNumber)") }
        return parts.isEmpty ? "untagged" : parts.joined(separator: " ")
    }

    private static func spelled(_ address: UInt64) -> String {
        (0..<6).map { byte in
            let text = String(address >> (56 - 8 * UInt64(byte)) & 0xFF, radix: 16)
            return text.utf8.count < 2 ? "0" + text : text
        }.joined(separator: ":")
    }
}

/// Mixes numbers into one of 64 bits; the mix is not cryptographic.
struct ContentMix {
    private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always)
    mutating func add(_ number: UInt64) {
        let (high, low) = (value ^ number ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(
            by: 0xE703_7ED1_A0B4_28DB)
        value = high ^ low ^ (number &* 0x9E37_79B9_7F4A_7C15)
    }
}

/// Fields that make an IP packet the same packet on every interface: its bytes without those that
/// routers, switches and offloading change (TTL, service class, checksums).
struct PacketIdentity: Hashable {
    var key: UInt64 = 0
    /// IPv4's identification, which a retransmission does not repeat; 0 = there is none.
    var identification: UInt16 = 0
}
