public import SimulationKernel

/// Specification of a link; a packet passes the cells in the order of the properties.
public struct LinkSpec: Sendable, Hashable {
    public var loss: LossModel
    public var rate: RateModel
    /// Queue in front of `rate`; it has no effect if the rate is unlimited.
    public var queue: QueueDiscipline
    public var delay: DelayModel
    /// Probability that a packet skips the delay and so overtakes the packets before it, 0 to 1
    /// (netem's `reorder`). Packets then leave in the order of their times.
    public var reorder: Double
    /// Probability that a packet leaves twice, 0 to 1.
    public var duplicate: Double
    /// Additional cost of each packet in the queue and at the rate.
    public var overhead: PacketOverhead

    public init(
        loss: LossModel = .none, rate: RateModel = .unlimited, queue: QueueDiscipline = .infinite,
        delay: DelayModel = .init(), reorder: Double = 0, duplicate: Double = 0,
        overhead: PacketOverhead = .l3
    ) {
        self.loss = loss
        self.rate = rate
        self.queue = queue
        self.delay = delay
        self.reorder = reorder
        self.duplicate = duplicate
        self.overhead = overhead
    }

    func check() throws(LinkError) {
        try loss.check()
        try rate.check()
        try queue.check()
        try delay.check()
        try LinkError.check(probability: reorder, "the reordering probability")
        try LinkError.check(probability: duplicate, "the duplication probability")
        guard (0...1500).contains(overhead.bytes) else {
            throw LinkError("the overhead is \(overhead.bytes) bytes; it takes 0 to 1500")
        }
    }
}

/// Bytes that a packet costs besides the IP packet, which the caller counts.
public struct PacketOverhead: Sendable, Hashable {
    public var bytes: Int

    public init(bytes: Int) { self.bytes = bytes }

    /// No overhead: only the IP packet counts.
    public static let l3 = PacketOverhead(bytes: 0)
    /// The Ethernet header counts too, as Linux counts packets in its queues.
    public static let l2 = PacketOverhead(bytes: 14)
    /// All bytes that Ethernet sends count: header, check sequence, preamble and gap.
    public static let wire = PacketOverhead(bytes: 38)
}

/// Rate at which packets leave the queue. A packet that is being sent no longer counts as queued.
public enum RateModel: Sendable, Hashable {
    /// The link has no queue.
    case unlimited
    /// A constant rate; at rate 0 no packet passes.
    case constant(Bitrate)
    /// Piecewise constant rates; their delays and losses add to those of the link.
    case schedule(RateSchedule)
    /// Mahimahi's delivery opportunities; a packet cannot use those at or before its arrival.
    case trace(DeliveryTrace, startOffsetNanoseconds: Int64 = 0)
    /// A bucket filled at `rate` up to `burstBytes`, full at first. A packet leaves, without delay,
    /// when the bucket holds its size; a packet larger than the bucket leaves when the bucket is
    /// full, and the bucket is then in debt.
    case tokenBucket(Bitrate, burstBytes: Int)

    func check() throws(LinkError) {
        switch self {
        case .unlimited, .schedule: break
        case .constant(let rate):
            guard rate.bitsPerSecond <= Self.fastest else {
                throw LinkError("the rate is \(rate); it takes at most 1 Tbit/s")
            }
        case .trace(_, let offset):
            guard (0...RateSchedule.longestNanoseconds).contains(offset) else {
                throw LinkError("the trace's offset is \(offset) ns; it takes 0 or more")
            }
        case .tokenBucket(let rate, let burst):
            guard (1...Self.fastest).contains(rate.bitsPerSecond) else {
                throw LinkError("the bucket's rate is \(rate); it takes 1 bit/s to 1 Tbit/s")
            }
            guard (1...1_000_000_000).contains(burst) else {
                throw LinkError("the burst is \(burst) bytes; it takes 1 byte to 1 GB")
            }
        }
    }

    private static let fastest = 1_000_000_000_000
}

/// Reason why a link cannot be built, and its remedy.
public struct LinkError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String

    init(_ message: String) { self.message = message }

    public var description: String { message }

    static func check(probability: Double, _ name: String) throws(LinkError) {
        guard (0...1).contains(probability) else {
            throw LinkError("\(name) is \(probability); it takes 0 (never) to 1 (always, 100%)")
        }
    }
}
