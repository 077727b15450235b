/// Walks through the headers of one captured packet, from the link's to TCP's, through tunnels.
///
/// Every step reads within the captured bytes, and there are at most `layerLimit` steps, so no
/// bytes can trap the walk or hold it up. The walk names the layers that it cannot follow.
struct PacketWalk {
    /// Largest number of layers of one packet: tunnels in tunnels, tags and labels.
    static let layerLimit = 24
    /// Length of Ethernet's header, which is counted if a capture has another kind of link header.
    static let nominalLinkHeaderLength = 14

    /// Facts that outer layers pass to inner ones.
    struct Context {
        /// Bytes of link header counted instead of the captured ones.
        var linkAdjustment = 0
        var origin = PacketOrigin()
        /// Source of the IP header that the walk is in. The next three fields belong to that header
        /// too; `networkOffset` is the number of bytes before it.
        var source = Endpoint(ipv4: 0, port: 0)
        var destination = Endpoint(ipv4: 0, port: 0)
        var identification: UInt16 = 0
        var networkOffset = 0
        /// Number of layers passed so far.
        var depth = 0
    }

    enum Layer {
        case link(LinkType)
        case ethernet
        case etherType(UInt16)
        /// IPv4 or IPv6, as the first bits of the bytes say.
        case ip
        case ppp
        case transport(UInt8)
        case gre
        case mpls
        case nsh
        case llc
        case udpTunnel(UInt16)
        /// The walk has ended.
        case done(ParsedPacket)
    }

    /// Rest of the captured packet.
    private(set) var bytes: UnsafeRawBufferPointer
    /// Length of the rest of the packet on the wire.
    private(set) var wire: Int
    /// Number of bytes passed so far.
    private(set) var offset = 0
    var context: Context

    /// - Parameter offset: Number of bytes passed already.
    init(_ bytes: UnsafeRawBufferPointer, wire: Int, context: Context, offset: Int = 0) {
        self.bytes = bytes
        self.wire = max(wire, bytes.count)
        self.offset = offset
        self.context = context
    }

    /// Follows layers until one ends the walk.
    mutating func walk(from first: Layer) -> ParsedPacket {
        var layer = first
        while context.depth < Self.layerLimit {
            context.depth += 1
            switch layer {
            case .link(let type): layer = LinkLayers.link(&self, type)
            case .ethernet: layer = LinkLayers.ethernet(&self)
            case .etherType(let type): layer = LinkLayers.etherType(&self, type)
            case .ip: layer = ip()
            case .ppp: layer = LinkLayers.ppp(&self)
            case .transport(let number): layer = transport(number)
            case .gre: layer = TunnelLayers.gre(&self)
            case .mpls: layer = LinkLayers.mpls(&self)
            case .nsh: layer = TunnelLayers.nsh(&self)
            case .llc: layer = LinkLayers.llc(&self)
            case .udpTunnel(let port): layer = TunnelLayers.udpTunnel(&self, port)
            case .done(let packet): return packet
            }
        }
        if case .done(let packet) = layer { return packet }
        return .passedOver(.init(.nesting))
    }

    /// Skips a header.
    mutating func skip(_ count: Int) {
        bytes = bytes.from(count)
        wire = max(0, wire - max(0, count))
        offset += max(0, count)
    }

    /// Ends the packet: bytes beyond `length` are padding.
    mutating func truncate(to length: Int) {
        bytes = bytes.upTo(length)
        wire = min(wire, max(0, length))
    }

    /// Corrects the packet's length on the wire, which was more than the capture states.
    mutating func restore(wire length: Int) { wire = max(wire, length) }

    /// Result for a header that is not complete, because the snap length has cut it or it was never
    /// complete.
    var short: Layer {
        .done(.passedOver(.init(bytes.count < wire ? .cutHeaders : .malformed)))
    }

    func passed(_ reason: PassedOver.Reason, _ number: Int? = nil) -> Layer {
        .done(.passedOver(.init(reason, number: number)))
    }

    func has(_ count: Int) -> Bool { bytes.count >= count }
}

/// Reads link, tunnel, IP and TCP headers of one captured packet.
enum PacketParser {
    /// - Parameters:
    ///   - originalLength: Bytes on the wire.
    ///   - interface: The number that the capture gives to the interface.
    static func parse(
        _ bytes: UnsafeRawBufferPointer, linkType: LinkType, originalLength: Int,
        interface: UInt32? = nil
    ) -> ParsedPacket {
        var context = PacketWalk.Context()
        context.origin.interface = interface
        var walk = PacketWalk(bytes, wire: originalLength, context: context)
        return walk.walk(from: .link(linkType))
    }
}
