public import Netem

/// A viewer's link as it travels to the process that plays the viewer.
///
/// The socket shell honours rate, delay, jitter and loss of the downlink, and the delay of requests.
/// It cannot change what the server's own TCP sees (round-trip time, lost packets).
public struct ViewerLink: Codable, Sendable, Hashable {
    /// Of the downlink's rate; with their latencies.
    public var periods: [RateSchedule.Period]
    /// Whether the periods repeat; otherwise the last one lasts for ever.
    public var wraps: Bool
    /// One way, besides the periods' latencies.
    public var delay: DelayModel
    /// Packets that it takes show as stalls of a round trip.
    public var loss: LossModel
    /// Bytes that each packet of at most 1448 bytes of payload costs besides.
    public var headerBytes: Int

    /// IP and TCP headers with timestamps.
    public static let tcpHeaderBytes = 52

    /// - Parameter headerBytes: 0 where the rate is that of the payload.
    public init(
        rate: RateSchedule, delay: DelayModel = .init(), loss: LossModel = .none,
        headerBytes: Int = tcpHeaderBytes
    ) {
        periods = rate.periods
        wraps = rate.wraps
        self.delay = delay
        self.loss = loss
        self.headerBytes = headerBytes
    }

    /// - Throws: `RateScheduleError` where the periods are no schedule.
    public func schedule() throws -> RateSchedule {
        try RateSchedule(periods: periods, wraps: wraps)
    }
}

/// Which link a viewer has, and where in its course the viewer begins.
public struct ViewerLinkPlace: Codable, Sendable, Hashable {
    /// Index into the pool's links.
    public var link: Int
    public var offsetNanoseconds: Int64
    /// Of jitter and loss.
    public var seed: UInt64

    public init(link: Int, offsetNanoseconds: Int64 = 0, seed: UInt64 = 0) {
        self.link = link
        self.offsetNanoseconds = offsetNanoseconds
        self.seed = seed
    }
}
