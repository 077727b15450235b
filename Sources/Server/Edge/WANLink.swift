import Netem
import SimulationKernel

/// Model of the link between an edge and its origin. It computes when bytes that were read from the
/// origin's sockets have crossed the link. It does no I/O and reads no clock; times are nanoseconds
/// of one clock.
struct WANLink {
    /// Time in nanoseconds by which the link may be booked ahead before reading pauses.
    static let longestBacklog: Int64 = 20_000_000
    /// Number of bytes that may be on their way before reading pauses.
    static let lineLimit = 16 << 20

    /// Clock of the bottleneck; nil if the rate is not limited.
    private var clock: FlowClock?
    /// One-way delay in nanoseconds.
    let delay: Int64
    /// Time at which the bottleneck has carried everything that was read.
    private var freeAt: Int64 = 0

    init(_ wan: EdgeConfiguration.WAN?) {
        clock = wan?.bitsPerSecond.map {
            FlowClock(RateSchedule(constant: Bitrate(bitsPerSecond: $0)), now: 0)
        }
        delay = wan?.delayNanoseconds ?? 0
    }

    /// Carries `bytes` bytes of payload that were read at `now`, and returns their time of arrival.
    /// Bytes arrive in the order in which they were read.
    mutating func carry(_ bytes: Int, at now: Int64) -> Int64 {
        guard clock != nil else {
            freeAt = max(freeAt, now)
            return now + delay
        }
        clock?.idle(at: now)
        clock?.spend(bytes)
        freeAt = clock?.spentTime ?? now
        return freeAt + delay
    }

    /// Returns the time until which reading pauses; nil if it need not pause. The pause keeps bytes
    /// in the sender's queue instead of the edge's memory.
    func pause(at now: Int64, onTheWay bytes: Int) -> Int64? {
        if freeAt - now > Self.longestBacklog { return freeAt - Self.longestBacklog / 2 }
        return bytes > Self.lineLimit ? now + 5_000_000 : nil
    }
}
