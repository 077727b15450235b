/// Distinguishes the second capture of a packet, on another interface of the same host, from a
/// packet that was sent again.
///
/// A packet's identity consists of the fields that interfaces do not change. If the packet has an
/// IPv4 identification, the same identity within a few milliseconds is a copy, because hosts give a
/// retransmission another identification. Without one (IPv6, or 0), a packet is a copy only as
/// often as another interface has seen more of them, or if a mirror port plainly shows it twice
/// (`MirrorEvidence`).
struct CopyFilter {
    /// Largest distance between two copies, in nanoseconds.
    static let window: Int64 = 2_000_000
    /// Largest distance, in nanoseconds, of a copy with an IP identification on another interface,
    /// which may have queued the packet.
    static let queueWindow: Int64 = 20_000_000
    /// Largest number of interfaces over which one packet is followed.
    static let originLimit = 6
    /// Largest number of interfaces remembered by name.
    static let nameLimit = 64

    /// Key and time of a packet. A search reads nothing else, so a set of them is one cache line.
    private struct Record {
        var key: UInt64 = 0
        var time: Int64 = .min
    }

    /// Origins at which a packet was seen, each with the number of sights.
    private struct Sights {
        var origins: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0)
        var counts: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0, 0)
    }

    private static let ways = 4
    private static let sets = 4_096

    private var records: [Record] = []
    private var sights: [Sights] = []
    private var latestOrigin: UInt32?
    private var known: [UInt32: PacketOrigin] = [:]
    private var involved: Set<UInt32> = []
    private var mirror = MirrorEvidence()
    private(set) var copies = 0
    private(set) var bytes = 0
    /// Names of interfaces in a pcapng file.
    var interfaceNames: [UInt32: String] = [:]
    /// Number of slots of the table, used or not.
    var rememberedPackets: Int { records.count }
    var rememberedOrigins: Int { max(known.count, involved.count) }

    /// Whether the packet is a copy of one seen before; a packet that is not is remembered.
    mutating func isCopy(
        _ identity: PacketIdentity, origin: PacketOrigin, originHash: UInt32, time: Int64
    ) -> Bool {
        if records.isEmpty {
            records = Array(repeating: Record(), count: Self.ways * Self.sets)
            sights = Array(repeating: Sights(), count: Self.ways * Self.sets)
        }
        if latestOrigin != originHash {
            latestOrigin = originHash
            if known[originHash] == nil, known.count < Self.nameLimit { known[originHash] = origin }
        }
        let set = Int(truncatingIfNeeded: identity.key >> 20) & (Self.sets - 1)
        let first = set * Self.ways
        var oldest = first
        for index in first..<first + Self.ways {
            let record = records[index]
            if record.key == identity.key, record.time != .min {
                return judge(index, identity, originHash, time)
            }
            if record.time < records[oldest].time { oldest = index }
        }
        begin(oldest, identity, originHash, time)
        return false
    }

    private mutating func begin(
        _ index: Int, _ identity: PacketIdentity, _ origin: UInt32, _ time: Int64
    ) {
        records[index] = Record(key: identity.key, time: time)
        var first = Sights()
        first.origins.0 = origin
        first.counts.0 = 1
        sights[index] = first
        if identity.identification == 0 { mirror.addFirst() }
    }

    private mutating func judge(
        _ index: Int, _ identity: PacketIdentity, _ origin: UInt32, _ time: Int64
    ) -> Bool {
        let distance = (time &- records[index].time).magnitude
        let hasNumber = identity.identification != 0
        let slot = slot(index, origin)
        let own = count(index, slot)
        let window = hasNumber && own == 0 ? Self.queueWindow : Self.window
        guard distance <= UInt64(window) else {
            begin(index, identity, origin, time)
            return false
        }
        var most: UInt8 = 0
        for other in 0..<Self.originLimit where other != slot {
            most = max(most, count(index, other))
        }
        let isCopy =
            hasNumber || own < most || mirror.isEcho(sights: own, nanoseconds: distance)
        setCount(index, slot, origin, own == .max ? own : own + 1)
        if isCopy { involve(recordAt: index) }
        return isCopy
    }

    /// Slot of an origin in a record, or a free slot for it; the last slot if none is free.
    private func slot(_ index: Int, _ origin: UInt32) -> Int {
        let origins = sights[index].origins
        let list = [origins.0, origins.1, origins.2, origins.3, origins.4, origins.5]
        for slot in 0..<Self.originLimit
        where count(index, slot) == 0 || list[slot] == origin {
            return slot
        }
        return Self.originLimit - 1
    }

    private func count(_ index: Int, _ slot: Int) -> UInt8 {
        let counts = sights[index].counts
        return switch slot {
        case 0: counts.0
        case 1: counts.1
        case 2: counts.2
        case 3: counts.3
        case 4: counts.4
        default: counts.5
        }
    }

    private mutating func setCount(
        _ index: Int, _ slot: Int, _ origin: UInt32, _ count: UInt8
    ) {
        switch slot {
        case 0: (sights[index].origins.0, sights[index].counts.0) = (origin, count)
        case 1: (sights[index].origins.1, sights[index].counts.1) = (origin, count)
        case 2: (sights[index].origins.2, sights[index].counts.2) = (origin, count)
        case 3: (sights[index].origins.3, sights[index].counts.3) = (origin, count)
        case 4: (sights[index].origins.4, sights[index].counts.4) = (origin, count)
        default: (sights[index].origins.5, sights[index].counts.5) = (origin, count)
        }
    }

    private mutating func involve(recordAt index: Int) {
        let origins = sights[index].origins
        let list = [origins.0, origins.1, origins.2, origins.3, origins.4, origins.5]
        for slot in 0..<Self.originLimit where count(index, slot) > 0 {
            involve(list[slot])
        }
    }

    /// Counts packets that were found to be copies.
    mutating func add(copies count: Int, bytes length: Int) {
        copies += count
        bytes.add(clamping: length)
    }

    /// Remembers that copies were captured at an origin.
    mutating func involve(_ origin: UInt32) {
        if involved.count < Self.nameLimit { involved.insert(origin) }
    }

    /// Report about the copies; nil if there were none.
    var report: CopyReport? {
        guard copies > 0 else { return nil }
        let origins = involved.compactMap { known[$0] }
        let indices = Set(origins.compactMap(\.index)).sorted()
        let numbers = Set(origins.compactMap(\.interface)).sorted()
        var names: [String]
        if indices.count > 1 {
            names = indices.map { "interface \($0)" }
        } else if numbers.count > 1 {
            names = numbers.map { interfaceNames[$0] ?? "interface \($0)" }
        } else {
            names = Set(origins.map { $0.name(interfaces: interfaceNames) }).sorted()
        }
        if names.count > 8 { names = names.prefix(8) + ["\(names.count - 8) more"] }
        return CopyReport(packets: copies, bytes: bytes, interfaces: names)
    }
}

/// Packets that a capture holds more than once.
public struct CopyReport: Codable, Hashable, Sendable {
    public var packets: Int
    /// Bytes on the wire, as the capture states them.
    public var bytes: Int
    /// Interfaces on which the copies were captured, by name or number.
    public var interfaces: [String]

    public init(packets: Int, bytes: Int, interfaces: [String]) {
        self.packets = packets
        self.bytes = bytes
        self.interfaces = interfaces
    }

    /// Remedy that keeps the copies out of the capture.
    public var mend: String {
        interfaces.count > 1
            ? "capture on one interface instead of 'any', for example -i eth0"
            : "have the switch mirror one direction of the port only"
    }
}
