/// Block types and options of pcapng (draft-ietf-opsawg-pcapng, section 4).
enum PcapngBlock {
    static let sectionHeader: UInt32 = 0x0A0D_0D0A
    static let interface: UInt32 = 1
    static let obsoletePacket: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let statistics: UInt32 = 5
    static let enhancedPacket: UInt32 = 6

    static func isKnown(_ type: UInt32) -> Bool {
        switch type {
        case interface, obsoletePacket, simplePacket, statistics, enhancedPacket: true
        default: false
        }
    }

    /// Hands each option from `offset` on to `body`; an incomplete list ends without an error.
    static func options(
        _ block: UnsafeRawBufferPointer, from offset: Int, bigEndian: Bool,
        _ body: (UInt16, UnsafeRawBufferPointer) -> Void
    ) {
        var offset = offset
        while offset + 4 <= block.count {
            let code = block.integer(UInt16.self, at: offset, bigEndian: bigEndian)
            let length = Int(block.integer(UInt16.self, at: offset + 2, bigEndian: bigEndian))
            guard code != 0, offset + 4 + length <= block.count else { return }
            body(code, block.from(offset + 4).upTo(length))
            offset += 4 + (length + 3) & ~3
        }
    }

    /// Reads isb_ifdrop and isb_osdrop of an interface statistics block.
    static func drops(_ block: UnsafeRawBufferPointer, bigEndian: Bool) -> Int? {
        var sum: Int?
        options(block, from: 20, bigEndian: bigEndian) { code, value in
            guard code == 5 || code == 7, value.count == 8 else { return }
            let count = Int(clamping: value.integer(UInt64.self, at: 0, bigEndian: bigEndian))
            sum = max(sum ?? 0, count)
        }
        return sum
    }
}

/// An interface description block.
struct PcapngInterface: Hashable, Sendable {
    var linkType: LinkType
    /// Snap length of the interface; 0 = no limit.
    var snapLength: Int
    /// if_tsresol: a tick is 10^-n s, or 2^-n s if the top bit is set.
    private var resolution: UInt8 = 6
    /// if_tsoffset: the seconds to add.
    private var offsetSeconds: Int64 = 0
    /// if_name, or if_description.
    private(set) var name: String?

    /// - Precondition: the block has 16 bytes or more.
    init(_ block: UnsafeRawBufferPointer, bigEndian: Bool) {
        let type = block.integer(UInt16.self, at: 8, bigEndian: bigEndian)
        linkType = LinkType(rawValue: UInt32(type))
        snapLength = Int(block.integer(UInt32.self, at: 12, bigEndian: bigEndian))
        var resolution: UInt8 = 6
        var seconds: Int64 = 0
        var name: String?
        PcapngBlock.options(block, from: 16, bigEndian: bigEndian) { code, value in
            if code == 2 || code == 3 && name == nil {
                name = String(decoding: value.upTo(64), as: UTF8.self)
            }
            if code == 9, let first = value.first { resolution = first }
            if code == 14, value.count == 8 {
                seconds = value.integer(Int64.self, at: 0, bigEndian: bigEndian)
            }
        }
        self.resolution = resolution
        offsetSeconds = seconds
        self.name = name
    }

    /// Nanoseconds since 1970; a time that does not fit in 63 bits becomes the largest that does.
    func nanoseconds(_ ticks: UInt64) -> Int64 {
        let exponent = Int(resolution & 0x7F)
        let time: UInt64
        if resolution & 0x80 != 0 {
            let (high, low) = ticks.multipliedFullWidth(by: 1_000_000_000)
            time =
                exponent >= 64
                ? (exponent >= 128 ? 0 : high >> UInt64(exponent - 64))
                : exponent == 0
                    ? (high == 0 ? low : .max)
                    : high >> UInt64(exponent) != 0
                        ? .max : high << UInt64(64 - exponent) | low >> UInt64(exponent)
        } else if exponent <= 9 {
            let product = ticks.multipliedReportingOverflow(by: Self.power(9 - exponent))
            time = product.overflow ? .max : product.partialValue
        } else {
            time = exponent > 28 ? 0 : ticks / Self.power(exponent - 9)
        }
        let offset = offsetSeconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !offset.overflow else { return Int64(clamping: time) }
        let sum = Int64(clamping: time).addingReportingOverflow(offset.partialValue)
        return sum.overflow ? .max : sum.partialValue
    }

    private static func power(_ exponent: Int) -> UInt64 {
        (0..<exponent).reduce(1) { value, _ in value * 10 }
    }
}
