/// Names of layers that are not dissected, for reports. The numbers are those of tcpdump.org's list
/// of link types and of IANA's registries.
enum LayerNames {
    static func linkType(_ number: Int) -> String? { linkTypes[number] }
    static func etherType(_ number: Int) -> String? {
        number <= 1500 ? "IEEE 802.3 length" : etherTypes[number]?.name
    }
    static func pppProtocol(_ number: Int) -> String? { pppProtocols[number] }
    static func ipProtocol(_ number: Int) -> String? { ipProtocols[number] }
    static func udpPort(_ number: Int) -> String? { udpPorts[number] }

    /// Name of a tunnel. Numbers above 255 are UDP ports, numbers below are IP protocols.
    static func tunnel(_ number: Int) -> String {
        let name = number > 255 ? tunnelPorts[number] : ipProtocols[number]
        return name ?? (number > 255 ? "on UDP port \(number)" : "of IP protocol \(number)")
    }

    static func encrypted(_ number: Int) -> String {
        switch number {
        case 50: "IPsec ESP"
        case 108: "IPComp"
        case 4500: "IPsec over UDP port 4500"
        case 51820: "WireGuard (UDP port 51820)"
        case 0x88E5: "MACsec (EtherType 0x88e5)"
        case 105: "Wi-Fi frames (IEEE 802.11)"
        default: "number \(number)"
        }
    }

    static func isHarmless(etherType: Int) -> Bool { etherTypes[etherType]?.carriesIP == false }
    /// Whether this is a control protocol such as LCP or IPCP.
    static func isHarmless(pppProtocol: Int) -> Bool { pppProtocol >= 0x8000 }

    private static let linkTypes: [Int: String] = [
        3: "AX.25", 6: "IEEE 802.5 token ring", 7: "ARCNET", 8: "SLIP", 10: "FDDI",
        105: "IEEE 802.11 aggregates", 192: "PPI", 99: "Symantec firewall", 100: "ATM, RFC 2684",
        106: "Linux classical IP over ATM",
        107: "frame relay", 114: "LocalTalk", 122: "IP over Fibre Channel", 123: "SunATM",
        129: "ARCNET, Linux", 142: "SS7 MTP2 with pseudo-header", 143: "DOCSIS",
        144: "Linux IrDA", 147: "private use 0", 148: "private use 1", 149: "private use 2",
        150: "private use 3", 162: "private use 15", 165: "BACnet MS/TP", 177: "Linux LAPD",
        187: "Bluetooth HCI H4", 189: "USB, Linux", 195: "IEEE 802.15.4", 197: "ERF",
        201: "Bluetooth HCI H4 with pseudo-header", 209: "I2C, Linux", 210: "FlexRay",
        212: "LIN", 215: "IEEE 802.15.4 non-ASK", 220: "USB, Linux, mmapped", 224: "Fibre Channel",
        227: "CAN", 230: "IEEE 802.15.4 without FCS", 231: "D-Bus", 235: "DVB common interface",
        240: "netANALYZER", 241: "netANALYZER transparent", 242: "IP over InfiniBand",
        243: "MPEG-2 transport stream", 245: "NFC LLCP", 247: "InfiniBand", 248: "SCTP",
        249: "USBPcap", 251: "Bluetooth LE", 252: "Wireshark upper PDU", 253: "Linux netlink",
        254: "Bluetooth Linux monitor", 256: "Bluetooth LE with pseudo-header", 259: "EPON",
        262: "Z-Wave R1/R2", 264: "Wattstopper", 265: "ISO 14443", 266: "DVB radio data",
        268: "HDMI CEC", 270: "Bluetooth BR/EDR", 271: "Linux vsock", 272: "nRF sniffer",
        273: "DOCSIS with XRA-31", 274: "IEEE 802.3br mPackets", 275: "DisplayPort AUX",
        278: "OpenVizsla USB", 279: "Elektrobit", 281: "Broadcom switch tag",
        282: "Broadcom switch tag, prepended", 283: "IEEE 802.15.4 TAP", 284: "Marvell DSA tag",
        285: "Marvell EDSA tag", 288: "USB 2.0", 292: "AUERSWALD log", 293: "Z-Wave TAP",
        296: "ETW", 298: "ZBOSS NCP",
    ]

    private static let etherTypes: [Int: (name: String, carriesIP: Bool)] = [
        0x0600: ("XNS", false), 0x0806: ("ARP", false), 0x0842: ("Wake-on-LAN", false),
        0x22F0: ("AVTP", false), 0x22F3: ("TRILL", true), 0x22EA: ("SRP", false),
        0x4305: ("B.A.T.M.A.N.", true), 0x8035: ("RARP", false), 0x809B: ("AppleTalk", false),
        0x80F3: ("AppleTalk ARP", false), 0x8137: ("IPX", false), 0x8204: ("QNX Qnet", false),
        0x8808: ("Ethernet flow control", false), 0x8809: ("slow protocols, LACP", false),
        0x8863: ("PPPoE discovery", false), 0x886D: ("Intel ANS probes", false),
        0x887B: ("HomePlug 1.0", false), 0x888E: ("EAPOL", false), 0x8892: ("PROFINET", false),
        0x889A: ("SCSI over Ethernet", false), 0x88A2: ("ATA over Ethernet", false),
        0x88A4: ("EtherCAT", false), 0x88AB: ("Powerlink", false), 0x88B8: ("GOOSE", false),
        0x88BA: ("sampled values", false), 0x88CC: ("LLDP", false), 0x88CD: ("SERCOS III", false),
        0x88D9: ("LLTD", false), 0x88E1: ("HomePlug AV", false), 0x88E3: ("MRP", false),
        0x88F5: ("MVRP", false), 0x88F7: ("PTP", false), 0x88FB: ("PRP", false),
        0x8902: ("CFM", false), 0x8903: ("FabricPath", true), 0x8906: ("FCoE", false),
        0x8914: ("FCoE initialization", false), 0x8915: ("RoCE", false), 0x892F: ("HSR", true),
        0x9000: ("Ethernet loop test", false), 0xA0ED: ("LoWPAN", true),
    ]

    private static let pppProtocols: [Int: String] = [
        0x2D: "Van Jacobson compressed TCP", 0x2F: "Van Jacobson uncompressed TCP",
        0x3D: "Multilink fragments", 0x53: "encrypted", 0x55: "encrypted on one link",
        0xFD: "compressed", 0xFB: "compressed on one link", 0x31: "bridging",
        0x8021: "IPCP", 0x8057: "IPV6CP", 0x80FD: "CCP", 0x8053: "ECP", 0x8281: "MPLSCP",
        0xC021: "LCP", 0xC023: "PAP", 0xC025: "LQR", 0xC223: "CHAP", 0xC227: "EAP",
    ]

    private static let ipProtocols: [Int: String] = [
        0: "hop-by-hop options", 1: "ICMP", 2: "IGMP", 3: "GGP", 8: "EGP", 9: "IGP", 27: "RDP",
        33: "DCCP", 46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH", 54: "NARP",
        55: "minimal encapsulation", 58: "ICMPv6", 59: "no next header", 88: "EIGRP", 89: "OSPF",
        97: "EtherIP", 103: "PIM", 108: "IPComp", 112: "VRRP", 113: "PGM", 115: "L2TPv3",
        124: "IS-IS", 132: "SCTP", 136: "UDP-Lite", 137: "MPLS in IP", 253: "experiments",
        254: "experiments",
    ]

    private static let udpPorts: [Int: String] = [
        53: "DNS", 67: "DHCP", 68: "DHCP", 123: "NTP", 137: "NetBIOS", 138: "NetBIOS",
        161: "SNMP", 443: "QUIC, HTTP/3", 500: "IKE", 514: "syslog", 546: "DHCPv6",
        547: "DHCPv6", 1900: "SSDP", 3478: "STUN", 5353: "mDNS", 5355: "LLMNR",
    ]

    /// Well-known UDP port that names a packet; 0 if there is none.
    static func namedPort(_ source: UInt16, _ destination: UInt16) -> Int {
        for port in [Int(destination), Int(source)] where udpPorts[port] != nil { return port }
        return 0
    }

    private static let tunnelPorts: [Int: String] = [
        1701: "L2TP", 2152: "GTP-U", 3544: "Teredo", 4754: "GRE in UDP", 4789: "VXLAN",
        4790: "VXLAN-GPE", 5247: "CAPWAP", 6080: "GUE", 6081: "Geneve", 6635: "MPLS in UDP",
        8472: "VXLAN", 37008: "TZSP", 0x8847: "MPLS", 0x894F: "NSH", 0x22EB: "ERSPAN type III",
        0x88BE: "ERSPAN", 0x8864: "PPPoE",
    ]
}
