/// An incremental reader of capture files: bytes in, packets out, however the bytes are split.
///
/// Reads classic pcap (µs and ns, both byte orders) and pcapng (draft-ietf-opsawg-pcapng).
/// Holds at most one packet and what was last appended. After an error it stays failed.
public struct PcapReader: Sendable {
    /// What a file says about one packet.
    public struct Packet: Hashable, Sendable {
        /// Since 1970; of the packet before where a block has no time.
        public var timestampNanoseconds: Int64
        public var linkType: LinkType
        /// Bytes on the wire; the captured ones may be fewer.
        public var originalLength: Int
    }

    /// A packet that claims more captured bytes is taken for garbage.
    public static let capturedLengthLimit = 16 << 20

    private enum Format {
        case unknown
        case classic(bigEndian: Bool, nanoseconds: Bool, LinkType)
        case pcapng(bigEndian: Bool)
    }

    /// Where the next unread byte lies in the file.
    public private(set) var offset = 0
    /// Packets that the capturing program says it dropped (pcapng statistics blocks).
    public private(set) var droppedPackets: Int?
    private var buffer: [UInt8] = []
    private var start = 0
    private var format = Format.unknown
    private var failure: CaptureError?
    /// Bytes of an uninteresting block still to pass over.
    private var skipping = 0
    private var interfaces: [PcapngInterface] = []
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

    /// Hands the next packet to `body`, the bytes valid only there. False until more is appended.
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
                case .classic(let bigEndian, let nanoseconds, let linkType):
                    return try readRecord(bigEndian, nanoseconds, linkType, body)
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

    /// Says that no more bytes follow.
    /// - Throws: `.truncated` inside a packet, `.format` where no file header came.
    public mutating func finish() throws(CaptureError) {
        if let failure { throw failure }
        if case .unknown = format {
            throw CaptureError(
                .format,
                available == 0 && offset == 0
                    ? "the file is empty"
                    : "the file ends inside its header, after \(available) bytes")
        }
        guard available > 0 || skipping > 0 else { return }
        throw CaptureError(
            .truncated, "the file is cut off inside the packet or block at byte \(offset)")
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
        let kind: (bigEndian: Bool, nanoseconds: Bool)
        switch magic {
        case 0xA1B2_C3D4: kind = (true, false)
        case 0xA1B2_3C4D: kind = (true, true)
        case 0xD4C3_B2A1: kind = (false, false)
        case 0x4D3C_B2A1: kind = (false, true)
        default:
            let hex = String(magic, radix: 16)
            throw CaptureError(
                .format, "not a capture file: byte 0 begins 0x\(hex), no pcap or pcapng magic")
        }
        guard available >= 24 else { return false }
        // The upper bits hold the length of a frame check sequence.
        let linkType = LinkType(rawValue: word(at: 20, kind.bigEndian) & 0xFFFF)
        format = .classic(bigEndian: kind.bigEndian, nanoseconds: kind.nanoseconds, linkType)
        advance(24)
        return true
    }

    private mutating func readRecord(
        _ bigEndian: Bool, _ nanoseconds: Bool, _ linkType: LinkType,
        _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) -> Bool {
        guard available >= 16 else { return false }
        let fraction = Int64(word(at: 4, bigEndian))
        let captured = Int(word(at: 8, bigEndian))
        let original = Int(word(at: 12, bigEndian))
        guard fraction < (nanoseconds ? 1_000_000_000 : 1_000_000) else {
            throw garbage("a fraction of a second of \(fraction)")
        }
        try check(captured, original)
        guard available >= 16 + captured else { return false }
        let time =
            Int64(word(at: 0, bigEndian)) * 1_000_000_000 + fraction * (nanoseconds ? 1 : 1000)
        hand(time, linkType, captured: captured, original: original, at: 16, body)
        advance(16 + captured)
        return true
    }

    private mutating func hand(
        _ time: Int64, _ linkType: LinkType, captured: Int, original: Int, at position: Int,
        _ body: (Packet, UnsafeRawBufferPointer) -> Void
    ) {
        lastTimestamp = time
        let from = start + position
        buffer.withUnsafeBytes {
            body(
                Packet(
                    timestampNanoseconds: time, linkType: linkType,
                    originalLength: max(original, captured)),
                UnsafeRawBufferPointer(rebasing: $0[from..<from + captured]))
        }
    }

    private func check(_ captured: Int, _ original: Int) throws(CaptureError) {
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
            interfaces.append(
                buffer.withUnsafeBytes {
                    PcapngInterface($0.from(start).upTo(length - 4), bigEndian: bigEndian)
                })
            return .other
        case PcapngBlock.statistics:
            let drops = buffer.withUnsafeBytes {
                PcapngBlock.drops($0.from(start).upTo(length - 4), bigEndian: bigEndian)
            }
            if let drops {
                let sum = (droppedPackets ?? 0).addingReportingOverflow(drops)
                droppedPackets = sum.overflow ? .max : sum.partialValue
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
            lastTimestamp, interface.linkType, captured: captured, original: original, at: 12, body)
        return .packet
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
            interfaces[index].nanoseconds(ticks), interfaces[index].linkType, captured: captured,
            original: original, at: 28, body)
        return .packet
    }
}
