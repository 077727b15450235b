/// The outcome of a packet.
public struct LinkEvent: Sendable, Hashable {
    public enum Outcome: UInt8, Sendable, Hashable {
        /// The packet leaves the link.
        case departed
        /// A second copy leaves the link, at the same time as the original and just before it.
        case duplicated
        /// The loss model dropped the packet.
        case lost
        /// The queue discipline dropped the packet.
        case dropped
    }

    /// The identifier that was given to `LinkModel.arrive`.
    public var id: UInt64
    public var arrivedNanoseconds: Int64
    /// The theoretical time of the event, however late the caller asks for it.
    public var nanoseconds: Int64
    /// Size in bytes, without the overhead.
    public var bytes: Int32
    public var outcome: Outcome
}

/// Number of packets and of their bytes, overhead not included.
public struct PacketCount: Sendable, Hashable {
    public var packets = 0
    public var bytes = 0

    public init(packets: Int = 0, bytes: Int = 0) {
        self.packets = packets
        self.bytes = bytes
    }

    @inline(__always)
    mutating func add(_ count: Int32) {
        packets &+= 1
        bytes &+= Int(count)
    }
}

/// Sums since the start: `arrived` + `duplicated` = `departed` + `lost` + `dropped` + the contents
/// of the link (`LinkModel.inside`). An event counts once it has been taken.
public struct LinkCounters: Sendable, Hashable {
    public var arrived = PacketCount()
    /// Number of copies made; copies that left are also counted in `departed`.
    public var duplicated = PacketCount()
    public var departed = PacketCount()
    public var lost = PacketCount()
    public var dropped = PacketCount()

    public init() {}
}
