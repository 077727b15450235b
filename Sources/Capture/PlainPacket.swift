/// Headers of the packet that most captures consist of: Ethernet, IPv4 without options or fragments,
/// and a TCP segment that opens no connection. They are read without the steps of `PacketWalk`,
/// which gives the same result.
struct PlainPacket {
    private static let linkLength = 14
    private static let networkLength = 20
    private static var headersLength: Int { linkLength + networkLength }

    let source: Endpoint
    let destination: Endpoint
    let sequence: UInt32
    let acknowledgement: UInt32
    let flags: UInt8
    /// Length of the TCP header with options.
    let transportHeaderLength: Int
    /// Length of the payload on the wire.
    let payloadLength: Int
    /// Captured bytes from the Ethernet header on.
    let frame: UnsafeRawBufferPointer

    /// Reads a packet; nil if the packet is of another kind or its headers are not complete.
    ///
    /// - Parameters:
    ///   - bytes: Captured bytes from the Ethernet header on.
    ///   - wire: Bytes on the wire.
    @inline(__always)
    init?(_ bytes: UnsafeRawBufferPointer, wire: Int) {
        guard bytes.count >= Self.headersLength + 20, wire >= bytes.count,
            bytes.integer(UInt16.self, at: 12) == 0x0800, bytes[14] == 0x45, bytes[23] == 6,
            bytes.integer(UInt16.self, at: 20) & 0x3FFF == 0
        else { return nil }
        let total = Int(bytes.integer(UInt16.self, at: 16))
        let transport = Int(bytes[46] >> 4) * 4
        let flags = bytes[47]
        guard total <= wire - Self.linkLength, transport >= 20,
            total >= Self.networkLength + transport, flags & CapturedTCPSegment.syn == 0
        else { return nil }
        self.flags = flags
        source = Endpoint(
            ipv4: bytes.integer(UInt32.self, at: 26), port: bytes.integer(UInt16.self, at: 34))
        destination = Endpoint(
            ipv4: bytes.integer(UInt32.self, at: 30), port: bytes.integer(UInt16.self, at: 36))
        sequence = bytes.integer(UInt32.self, at: 38)
        acknowledgement = bytes.integer(UInt32.self, at: 42)
        transportHeaderLength = transport
        payloadLength = total - Self.networkLength - transport
        frame = bytes
    }

    /// Length of the frame on the wire, up to the end of the IP packet.
    private var length: Int { Self.headersLength + transportHeaderLength + payloadLength }

    /// Captured bytes from the TCP header to the end of the IP packet.
    private var segmentBytes: UnsafeRawBufferPointer {
        frame.upTo(length).from(Self.headersLength)
    }

    /// Captured part of the payload.
    var payload: UnsafeRawBufferPointer {
        segmentBytes.from(transportHeaderLength).upTo(payloadLength)
    }

    /// Whether the snap length cut the payload.
    var isCut: Bool { payloadLength > 0 && frame.count < length }

    var lengths: SegmentLengths {
        SegmentLengths(
            linkHeader: Self.linkLength, networkHeader: Self.networkLength,
            transportHeader: transportHeaderLength, payload: payloadLength)
    }

    var identity: PacketIdentity {
        PacketIdentity(
            tcp: segmentBytes, source: source, destination: destination,
            identification: frame.integer(UInt16.self, at: 18),
            headerLength: transportHeaderLength, payloadLength: payloadLength)
    }

    /// The segment as `PacketWalk` returns it.
    func segment(origin: PacketOrigin) -> CapturedTCPSegment {
        var segment = CapturedTCPSegment(
            source: source, destination: destination, sequence: sequence,
            acknowledgement: acknowledgement, flags: flags, linkHeaderLength: Self.linkLength,
            networkHeaderLength: Self.networkLength, transportHeaderLength: transportHeaderLength,
            payloadLength: payloadLength, payload: payload)
        segment.origin = origin
        segment.identity = identity
        return segment
    }
}

/// Origin of Ethernet frames without tags. The latest one is kept, because most frames of a capture
/// have the link addresses of the frame before them.
struct EthernetOrigin {
    private var addresses: (UInt64, UInt32)
    private(set) var origin: PacketOrigin
    private(set) var hash: UInt32

    init() {
        addresses = (0, 0)
        origin = Self.origin(addresses)
        hash = origin.hash
    }

    /// Takes the addresses of a frame, which has a complete Ethernet header.
    @inline(__always)
    mutating func update(_ frame: UnsafeRawBufferPointer) {
        let new = (frame.integer(UInt64.self, at: 0), frame.integer(UInt32.self, at: 8))
        guard new != addresses else { return }
        addresses = new
        origin = Self.origin(new)
        hash = origin.hash
    }

    private static func origin(_ addresses: (UInt64, UInt32)) -> PacketOrigin {
        var origin = PacketOrigin()
        var mix = ContentMix()
        mix.add(addresses.0)
        mix.add(UInt64(addresses.1))
        origin.address = mix.value
        return origin
    }
}

extension PacketIdentity {
    /// Identity of a TCP segment.
    ///
    /// - Parameters:
    ///   - tcp: Captured bytes from the TCP header on, 20 or more.
    ///   - identification: Identification of the IP header; 0 = there is none.
    ///   - headerLength: Length of the TCP header with options.
    ///   - payloadLength: Length of the payload on the wire.
    init(
        tcp: UnsafeRawBufferPointer, source: Endpoint, destination: Endpoint,
        identification: UInt16, headerLength: Int, payloadLength: Int
    ) {
        let flags = tcp[13]
        var mix = ContentMix()
        mix.add(source.high)
        mix.add(source.low)
        mix.add(destination.high)
        mix.add(destination.low)
        mix.add(
            UInt64(source.port) << 48 | UInt64(destination.port) << 32
                | UInt64(tcp.integer(UInt32.self, at: 4)))
        mix.add(UInt64(tcp.integer(UInt32.self, at: 8)) << 32 | UInt64(flags))
        mix.add(
            UInt64(payloadLength) << 32 | UInt64(identification) << 16
                | UInt64(tcp.integer(UInt16.self, at: 14)))
        // A router may clamp the MSS of a SYN; all other options pass unchanged.
        if flags & CapturedTCPSegment.syn == 0 {
            let end = min(headerLength, tcp.count)
            var start = 20
            while start < end {
                mix.add(UInt64(tcp.read(UInt32.self, at: start) ?? 0))
                start += 4
            }
        }
        self.init(key: mix.value, identification: identification)
    }
}

/// Finds the connection of a packet without a dictionary, most of the time. A slot holds the
/// connection that was put there last.
///
/// The cache does not own its connections, so that a packet costs no reference count. Their owner
/// removes each one before it lets it go.
struct FlowCache {
    private static let slotCount = 8192

    private var slots = [Unmanaged<Flow>?](repeating: nil, count: FlowCache.slotCount)

    /// Returns the connection between these ends, if it is here. The reference holds until the
    /// connection is removed.
    @inline(__always)
    func reference(_ a: Endpoint, _ b: Endpoint) -> Unmanaged<Flow>? {
        guard let reference = slots[Self.slot(a, b)],
            reference._withUnsafeGuaranteedRef({ $0.isBetween(a, b) })
        else { return nil }
        return reference
    }

    /// Returns the connection between these ends, if it is here.
    func flow(_ a: Endpoint, _ b: Endpoint) -> Flow? { reference(a, b)?.takeUnretainedValue() }

    mutating func put(_ flow: Flow) {
        slots[Self.slot(flow.client, flow.server)] = Unmanaged.passUnretained(flow)
    }

    /// Removes a connection that is no longer followed.
    mutating func remove(_ flow: Flow) {
        let slot = Self.slot(flow.client, flow.server)
        if slots[slot]?.takeUnretainedValue() === flow { slots[slot] = nil }
    }

    /// Returns the same slot for both orders of the ends.
    @inline(__always)
    private static func slot(_ a: Endpoint, _ b: Endpoint) -> Int {
        let sum = number(a) &+ number(b)
        return Int(truncatingIfNeeded: (sum &* 0xD6E8_FEB8_6659_FD93) >> 40) & (slotCount - 1)
    }

    @inline(__always)
    private static func number(_ end: Endpoint) -> UInt64 {
        (end.high ^ end.low ^ UInt64(end.port) << 40) &* 0x9E37_79B9_7F4A_7C15
    }
}
