/// An incremental reader of capture files: it takes bytes and returns packets, however the bytes
/// are split.
///
/// The reader understands classic pcap (µs and ns, both byte orders) and pcapng
/// (draft-ietf-opsawg-pcapng). It holds at most one packet and the latest appended bytes. After an
/// error every call fails.
public struct PcapReader: Sendable {
    /// Description of one packet in a file.
    public struct Packet: Hashable, Sendable {
        /// Time since 1970; if a block has no time, that of the packet before.
        public var timestampNanoseconds: Int64
        public var linkType: LinkType
        /// Bytes on the wire; the captured bytes may be fewer.
        public var originalLength: Int
        /// Number of the file's interface that the packet came over; nil in a classic file, which
        /// has one interface.
        public var interface: UInt32?
    }

    /// Largest number of captured bytes in a packet; a packet that claims more is garbage.
    public static let capturedLengthLimit = 16 << 20

    private struct Classic {
        var bigEndian: Bool
        var nanoseconds: Bool
        /// Length of the header of each packet: 24 bytes if it includes the interface.
        var recordHeader = 16
        var linkType = LinkType.ethernet
    }

    private enum Format {
        case unknown
        case classic(Classic)
        case pcapng(bigEndian: Bool)
    }

    /// Offset of the next unread byte in the file.
    public private(set) var offset = 0
    /// Number of packets that the capturing program reports as dropped (pcapng statistics blocks).
    public var droppedPackets: Int? {
        guard !drops.isEmpty else { return nil }
        var sum = 0
        for count in drops.values { sum.add(clamping: count) }
        return sum
    }
    /// Dropped packets by interface, at most 1,024 interfaces. Each block states the number since
    /// the capture began, so the latest one counts.
    private var drops: [UInt32: Int] = [:]
    private var buffer: [UInt8] = []
    private var start = 0
    private var format = Format.unknown
    private var failure: CaptureError?
    /// Number of bytes still to skip of a block that is not needed.
    private var skipping = 0
    private var interfaces: [PcapngInterface] = []
    /// Number of interfaces in the sections before.
    private var interfaceBase = 0
    /// Names of interfaces in the file, by number over all sections; at most 1,024.
    public private(set) var interfaceNames: [UInt32: String] = [:]
    private var lastTimestamp: Int64 = 0

    public init() {}

    /// Adds the next bytes of the file.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        var bytes = bytes
        if start == buffer.count, skipping > 0 {
            let skipped = min(skipping, bytes.count)
            skipping -= skipped
            offset += skipped
            bytes = bytes.from(skipped)
        }
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Hands the next packet to `body`; its bytes are valid only during the call. Returns false if
    /// more bytes are needed.
    /// - Throws: `.format` with the offset of the bytes that make no sense.
    public mutating func next(
        _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) -> Bool {
        if let failure { throw failure }
        do {
            while true {
                guard try passSkipped() else { return false }
                switch format {
                case .unknown:
                    guard try readMagic() else { return false }
                case .classic(let classic): return try readRecord(classic, body)
                case .pcapng(let bigEndian):
                    switch try readBlock(bigEndian, body) {
                    case .packet: return true
                    case .incomplete: return false
                    case .other: continue
                    }
                }
            }
        } catch {
            failure = error
            buffer = []
            start = 0
            throw error
        }
    }

    /// Ends the file.
    /// - Throws: `.truncated` inside a packet, `.format` if no file header came.
    public mutating func finish() throws(CaptureError) {
        if let failure { throw failure }
        if case .unknown = format {
            guard available > 0 else {
                throw CaptureError(
                    .format,
                    "the file is empty: was the capture stopped before a packet came, or is "
                        + "tcpdump still running? 'tcpdump -U' writes each packet at once")
            }
            if !isMagicBegun, let what = foreign(isWhole: true) {
                throw CaptureError(.format, what)
            }
            throw CaptureError(
                .format, "the file ends inside its header, after \(available) bytes")
        }
        guard available > 0 || skipping > 0 else { return }
        throw CaptureError(
            .truncated,
            "the file is cut off inside the packet or block at byte \(offset): stop tcpdump with "
                + "an interrupt, or copy the file again")
    }

    private var available: Int { buffer.count - start }

    private mutating func advance(_ count: Int) {
        start += count
        offset += count
    }

    private mutating func passSkipped() throws(CaptureError) -> Bool {
        let skipped = min(skipping, available)
        advance(skipped)
        skipping -= skipped
        return skipping == 0
    }

    private func word(at position: Int, _ bigEndian: Bool) -> UInt32 {
        buffer.withUnsafeBytes {
            $0.integer(UInt32.self, at: start + position, bigEndian: bigEndian)
        }
    }

    private mutating func readMagic() throws(CaptureError) -> Bool {
        guard available >= 4 else { return false }
        let magic = word(at: 0, true)
        if magic == PcapngBlock.sectionHeader {
            format = .pcapng(bigEndian: true)
            return true
        }
        var classic: Classic
        switch magic {
        case 0xA1B2_C3D4: classic = Classic(bigEndian: true, nanoseconds: false)
        case 0xA1B2_3C4D: classic = Classic(bigEndian: true, nanoseconds: true)
        case 0xD4C3_B2A1: classic = Classic(bigEndian: false, nanoseconds: false)
        case 0x4D3C_B2A1: classic = Classic(bigEndian: false, nanoseconds: true)
        // This is the "modified" pcap of old Linux distributions.
        case 0xA1B2_CD34:
            classic = Classic(bigEndian: true, nanoseconds: false, recordHeader: 24)
        case 0x34CD_B2A1:
            classic = Classic(bigEndian: false, nanoseconds: false, recordHeader: 24)
        default:
            guard let what = foreign(isWhole: false) else { return false }
            throw CaptureError(.format, what)
        }
        guard available >= 24 else { return false }
        // The upper bits hold the length of a frame check sequence.
        classic.linkType = LinkType(rawValue: word(at: 20, classic.bigEndian) & 0xFFFF)
        format = .classic(classic)
        advance(24)
        return true
    }

    private static let magics: [[UInt8]] = [
        [0xA1, 0xB2, 0xC3, 0xD4], [0xA1, 0xB2, 0x3C, 0x4D], [0xD4, 0xC3, 0xB2, 0xA1],
        [0x4D, 0x3C, 0xB2, 0xA1], [0xA1, 0xB2, 0xCD, 0x34], [0x34, 0xCD, 0xB2, 0xA1],
        [0x0A, 0x0D, 0x0D, 0x0A],
    ]

    /// Whether the few bytes so far begin as a capture file does.
    private var isMagicBegun: Bool {
        let head = buffer.dropFirst(start).prefix(4)
        return Self.magics.contains { $0.starts(with: head) }
    }

    /// Description of a file of another format, with the remedy; nil while the bytes are too few to
    /// determine it.
    private func foreign(isWhole: Bool) -> String? {
        guard isWhole || available >= CaptureFileKind.headLength else { return nil }
        return buffer.withUnsafeBytes {
            CaptureFileKind.describe($0.from(start).upTo(CaptureFileKind.headLength))
        }
    }

    private mutating func readRecord(
        _ classic: Classic, _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) -> Bool {
        guard available >= classic.recordHeader else { return false }
        let bigEndian = classic.bigEndian
        let fraction = Int64(word(at: 4, bigEndian))
        let captured = Int(word(at: 8, bigEndian))
        let original = Int(word(at: 12, bigEndian))
        guard fraction < (classic.nanoseconds ? 1_000_000_000 : 1_000_000) else {
            throw garbage("a fraction of a second of \(fraction)")
        }
        try check(captured)
        guard available >= classic.recordHeader + captured else { return false }
        let time =
            Int64(word(at: 0, bigEndian)) * 1_000_000_000
            + fraction * (classic.nanoseconds ? 1 : 1000)
        let interface = classic.recordHeader == 24 ? word(at: 16, bigEndian) : nil
        hand(
            Packet(
                timestampNanoseconds: time, linkType: classic.linkType,
                originalLength: max(original, captured), interface: interface),
            captured: captured, at: classic.recordHeader, body)
        advance(classic.recordHeader + captured)
        return true
    }

    private mutating func hand(
        _ packet: Packet, captured: Int, at position: Int,
        _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) {
        lastTimestamp = packet.timestampNanoseconds
        buffer.withUnsafeBytes { body(packet, $0.from(start + position).upTo(captured)) }
    }

    private func check(_ captured: Int) throws(CaptureError) {
        guard captured <= Self.capturedLengthLimit else {
            throw garbage("a captured length of \(captured)")
        }
    }

    private func garbage(_ what: String) -> CaptureError {
        CaptureError(.format, "the packet or block at byte \(offset) has \(what): not valid")
    }
}

extension PcapReader {
    private enum BlockResult { case packet, other, incomplete }

    private mutating func readBlock(
        _ bigEndian: Bool, _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) -> BlockResult {
        guard available >= 12 else { return .incomplete }
        let type = word(at: 0, bigEndian)
        if type == PcapngBlock.sectionHeader { return try readSection() }
        let length = Int(word(at: 4, bigEndian))
        guard length >= 12, length % 4 == 0 else { throw garbage("a block length of \(length)") }
        guard PcapngBlock.isKnown(type) else {
            skipping = length
            return .other
        }
        guard length <= Self.capturedLengthLimit + 4096 else {
            throw garbage("a block length of \(length)")
        }
        guard available >= length else { return .incomplete }
        guard Int(word(at: length - 4, bigEndian)) == length else {
            throw garbage("two block lengths that differ")
        }
        defer { advance(length) }
        switch type {
        case PcapngBlock.interface:
            guard length >= 20 else { throw garbage("an interface block of \(length) bytes") }
            guard interfaces.count < 65_536 else { throw garbage("more than 65,536 interfaces") }
            let interface = buffer.withUnsafeBytes {
                PcapngInterface($0.from(start).upTo(length - 4), bigEndian: bigEndian)
            }
            if let name = interface.name, interfaceNames.count < 1_024 {
                interfaceNames[number(ofInterface: interfaces.count)] = name
            }
            interfaces.append(interface)
            return .other
        case PcapngBlock.statistics:
            guard length >= 24 else { return .other }
            let count = buffer.withUnsafeBytes {
                PcapngBlock.drops($0.from(start).upTo(length - 4), bigEndian: bigEndian)
            }
            let interface = number(ofInterface: Int(word(at: 8, bigEndian)))
            if let count, drops[interface] != nil || drops.count < 1_024 {
                drops[interface] = count
            }
            return .other
        case PcapngBlock.simplePacket:
            return try readSimple(length, bigEndian, body)
        default:
            return try readEnhanced(type, length, bigEndian, body)
        }
    }

    private mutating func readSection() throws(CaptureError) -> BlockResult {
        guard available >= 12 else { return .incomplete }
        let bigEndian: Bool
        switch word(at: 8, true) {
        case 0x1A2B_3C4D: bigEndian = true
        case 0x4D3C_2B1A: bigEndian = false
        default: throw garbage("no byte-order magic in its section header")
        }
        let length = Int(word(at: 4, bigEndian))
        guard length >= 28, length % 4 == 0, length <= 1 << 20 else {
            throw garbage("a section header length of \(length)")
        }
        format = .pcapng(bigEndian: bigEndian)
        interfaceBase += interfaces.count
        interfaces = []
        skipping = length
        return .other
    }

    private mutating func readSimple(
        _ length: Int, _ bigEndian: Bool, _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) -> BlockResult {
        guard length >= 16 else { throw garbage("a simple packet block of \(length) bytes") }
        guard let interface = interfaces.first else { throw garbage("no interface before it") }
        let original = Int(word(at: 8, bigEndian))
        var captured = min(original, length - 16)
        if interface.snapLength > 0 { captured = min(captured, interface.snapLength) }
        hand(
            Packet(
                timestampNanoseconds: lastTimestamp, linkType: interface.linkType,
                originalLength: max(original, captured), interface: number(ofInterface: 0)),
            captured: captured, at: 12, body)
        return .packet
    }

    /// Returns the number of an interface over all sections of a file.
    private func number(ofInterface index: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: interfaceBase + index)
    }

    private mutating func readEnhanced(
        _ type: UInt32, _ length: Int, _ bigEndian: Bool,
        _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) -> BlockResult {
        guard length >= 32 else { throw garbage("a packet block of \(length) bytes") }
        var index = Int(word(at: 8, bigEndian))
        if type == PcapngBlock.obsoletePacket { index = bigEndian ? index >> 16 : index & 0xFFFF }
        guard index < interfaces.count else {
            throw garbage("interface \(index), of which there is no description")
        }
        let ticks = UInt64(word(at: 12, bigEndian)) << 32 | UInt64(word(at: 16, bigEndian))
        let captured = Int(word(at: 20, bigEndian))
        let original = Int(word(at: 24, bigEndian))
        guard captured <= length - 32 else { throw garbage("a captured length of \(captured)") }
        hand(
            Packet(
                timestampNanoseconds: interfaces[index].nanoseconds(ticks),
                linkType: interfaces[index].linkType, originalLength: max(original, captured),
                interface: number(ofInterface: index)),
            captured: captured, at: 28, body)
        return .packet
    }
}
