/// What became of a packet.
public struct LinkEvent: Sendable, Hashable {
    public enum Outcome: UInt8, Sendable, Hashable {
        /// It leaves the link.
        case departed
        /// A second copy leaves the link, at the same time as the original and just before it.
        case duplicated
        /// The loss model took it.
        case lost
        /// The queue discipline dropped it.
        case dropped
    }

    /// As given to `LinkModel.arrive`.
    public var id: UInt64
    public var arrivedNanoseconds: Int64
    /// The theoretical time of the event, however late it is asked for.
    public var nanoseconds: Int64
    /// Without the overhead.
    public var bytes: Int32
    public var outcome: Outcome
}

/// Packets and their bytes, overhead not included.
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

/// Sums since the start: `arrived` + `duplicated` = `departed` + `lost` + `dropped` + what is still
/// inside (`LinkModel.inside`), where an event counts once it has been taken.
public struct LinkCounters: Sendable, Hashable {
    public var arrived = PacketCount()
    /// Copies made; those that left are also in `departed`.
    public var duplicated = PacketCount()
    public var departed = PacketCount()
    public var lost = PacketCount()
    public var dropped = PacketCount()

    public init() {}
}
