/// The time of deliveries in a server, in three parts that add up to the whole: from the moment at
/// which a message has been read to the moment at which the kernel has taken its last byte for one
/// receiver. Splits of several servers or intervals can be added.
public struct DelaySplit: Codable, Sendable {
    /// Time in which the message, or the receiver's bytes, waited for a thread.
    public var queueing = DelayHistogram()
    /// Time of work: from bytes to a message that can be relayed, and the making of the receiver's
    /// bytes.
    public var service = DelayHistogram()
    /// Time from the beginning of the send to the moment at which the kernel has the last byte. The
    /// send of bytes that wait behind a full socket has begun.
    public var write = DelayHistogram()

    public init() {}

    /// Number of deliveries that were measured.
    public var count: Int { write.count }

    public mutating func add(_ other: DelaySplit) {
        queueing.add(other.queueing)
        service.add(other.service)
        write.add(other.write)
    }

    /// Records one delivery. A part below zero counts as 0: the three moments come from one clock,
    /// and work that two threads share may be counted twice.
    public mutating func record(
        queueingNanoseconds: Int64, serviceNanoseconds: Int64, writeNanoseconds: Int64
    ) {
        queueing.record(nanoseconds: max(0, queueingNanoseconds))
        service.record(nanoseconds: max(0, serviceNanoseconds))
        write.record(nanoseconds: max(0, writeNanoseconds))
    }

    /// The split in figures; nil if no delivery was measured.
    public var figures: DelaySplitFigures? {
        guard let queueing = DelaySplitFigures.Part(queueing),
            let service = DelaySplitFigures.Part(service),
            let write = DelaySplitFigures.Part(write)
        else { return nil }
        return DelaySplitFigures(queueing: queueing, service: service, write: write)
    }
}

/// The time of deliveries in a server as figures, in milliseconds.
public struct DelaySplitFigures: Codable, Sendable, Hashable {
    /// Figures of one part of the time.
    public struct Part: Codable, Sendable, Hashable {
        /// Number of deliveries that were measured.
        public var count: Int
        public var p50Milliseconds: Double
        public var p99Milliseconds: Double
        public var maximumMilliseconds: Double

        public init(
            count: Int, p50Milliseconds: Double, p99Milliseconds: Double,
            maximumMilliseconds: Double
        ) {
            self.count = count
            self.p50Milliseconds = p50Milliseconds
            self.p99Milliseconds = p99Milliseconds
            self.maximumMilliseconds = maximumMilliseconds
        }

        /// Returns the figures of a histogram; nil if it is empty.
        public init?(_ histogram: DelayHistogram) {
            guard let p50 = histogram.milliseconds(atPercentile: 50),
                let p99 = histogram.milliseconds(atPercentile: 99),
                let maximum = histogram.maximumMilliseconds
            else { return nil }
            self.init(
                count: histogram.count, p50Milliseconds: p50, p99Milliseconds: p99,
                maximumMilliseconds: maximum)
        }
    }

    /// Time in which the message, or the receiver's bytes, waited for a thread.
    public var queueing: Part
    /// Time of work on the message and on the receiver's bytes.
    public var service: Part
    /// Time from the beginning of the send until the kernel has the last byte.
    public var write: Part

    public init(queueing: Part, service: Part, write: Part) {
        self.queueing = queueing
        self.service = service
        self.write = write
    }

    /// The parts by name, in the order in which a delivery goes through them.
    public var parts: [(name: String, part: Part)] {
        [("queueing", queueing), ("service", service), ("write", write)]
    }
}
