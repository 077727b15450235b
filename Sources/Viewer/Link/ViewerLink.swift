public import Netem

/// A viewer's link in the form in which it is sent to the process that plays the viewer.
///
/// The socket shell applies rate, delay, jitter and loss of the downlink, and the delay of
/// requests. It cannot change what the server's own TCP sees (round-trip time, lost packets).
public struct ViewerLink: Codable, Sendable, Hashable {
    /// Rate of the downlink, with the latencies of its periods.
    public var rate: RateSchedule
    /// One-way delay, besides the periods' latencies.
    public var delay: DelayModel
    /// Loss model. A packet that it drops appears as a stall of a round trip.
    public var loss: LossModel
    /// Bytes that each full `TCPSegment` costs besides its payload.
    public var headerBytes: Int

    /// - Parameter headerBytes: 0 if the rate is that of the payload.
    public init(
        rate: RateSchedule, delay: DelayModel = .init(), loss: LossModel = .none,
        headerBytes: Int = TCPSegment.headerBytes
    ) {
        self.rate = rate
        self.delay = delay
        self.loss = loss
        self.headerBytes = headerBytes
    }

    /// Returns the link as it acts on flows, which pay no headers and wait for no packet: the rate
    /// of the payload, and one latency. Time 0 is the time at which `offsetNanoseconds` of the
    /// rate's schedule holds, counted from where that schedule starts.
    /// - Throws: `RateScheduleError` if rounding leaves no period with a rate.
    public func payloadSchedule(
        offsetNanoseconds: Int64
    ) throws(RateScheduleError) -> RateSchedule {
        let share = TCPSegment(overheadBytes: headerBytes).payloadShare
        // Bytes that arrive now passed the bottleneck earlier, by the one-way delay.
        let way = Int128(delay.nanoseconds) + Int128(rate.periods[0].delayNanoseconds)
        let cycle = Int128(rate.cycleNanoseconds)
        let offset = Int128(rate.startOffsetNanoseconds) + Int128(offsetNanoseconds) - way
        let start = rate.wraps ? ((offset % cycle) + cycle) % cycle : max(0, offset)
        return try rate.changingPeriods(startOffsetNanoseconds: Int64(clamping: start)) { period in
            let bits = (Double(period.bitsPerSecond) * share).rounded()
            period.bitsPerSecond = Int64(min(bits, 0x1p62))
            period.delayNanoseconds = Int64(
                clamping: Int128(period.delayNanoseconds) + Int128(delay.nanoseconds))
            period.loss = 0
        }
    }
}

/// Link of a viewer, and the offset in the link's trace at which the viewer begins.
public struct LinkAssignment: Codable, Sendable, Hashable {
    /// Index into the pool's links.
    public var link: Int
    public var offsetNanoseconds: Int64
    /// Seed of jitter and loss.
    public var seed: UInt64

    public init(link: Int, offsetNanoseconds: Int64 = 0, seed: UInt64 = 0) {
        self.link = link
        self.offsetNanoseconds = offsetNanoseconds
        self.seed = seed
    }
}
