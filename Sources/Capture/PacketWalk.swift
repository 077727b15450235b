/// Walks through the headers of one captured packet, from the link's to TCP's, through tunnels.
///
/// Every step reads within what was captured, and there are `layerLimit` steps at most: no bytes
/// can trap it or hold it up. What it cannot follow it names.
struct PacketWalk {
    /// Layers of one packet: tunnels in tunnels, tags and labels.
    static let layerLimit = 24
    /// Ethernet's header, which stands in where a capture has another kind of link header.
    static let nominalLinkHeaderLength = 14

    /// What outer layers tell inner ones.
    struct Context {
        /// Bytes of link header counted instead of the captured ones.
        var linkAdjustment = 0
        var origin = PacketOrigin()
        /// Of the IP header that the walk is in, and the bytes before it.
        var source = Endpoint(ipv4: 0, port: 0)
        var destination = Endpoint(ipv4: 0, port: 0)
        var identification: UInt16 = 0
        var networkOffset = 0
        /// Layers passed so far.
        var depth = 0
    }

    enum Layer {
        case link(LinkType)
        case ethernet
        case etherType(UInt16)
        /// IPv4 or IPv6, as its first bits say.
        case ip
        case ppp
        case transport(UInt8)
        case gre
        case mpls
        case nsh
        case llc
        case udpTunnel(UInt16)
        /// The end of the walk.
        case done(ParsedPacket)
    }

    /// What is left of the captured packet.
    private(set) var bytes: UnsafeRawBufferPointer
    /// What is left of the packet on the wire.
    private(set) var wire: Int
    /// Bytes passed so far.
    private(set) var offset = 0
    var context: Context

    /// - Parameter offset: bytes passed already.
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

    /// Passes over a header.
    mutating func skip(_ count: Int) {
        bytes = bytes.from(count)
        wire = max(0, wire - max(0, count))
        offset += max(0, count)
    }

    /// Ends what follows: bytes beyond it are padding.
    mutating func truncate(to length: Int) {
        bytes = bytes.upTo(length)
        wire = min(wire, max(0, length))
    }

    /// There was more on the wire than the capture says.
    mutating func restore(wire length: Int) { wire = max(wire, length) }

    /// The next header is not there as a whole: the snap length cut it, or it never was.
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
    ///   - originalLength: bytes on the wire.
    ///   - interface: the number that the capture gives to the interface.
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
