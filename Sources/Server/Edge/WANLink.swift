import Netem
import SimulationKernel

/// The way between an edge and its origin: when bytes that were read from the origin's sockets have
/// come across. Pure; times are nanoseconds of one clock.
struct WANLink {
    /// How far the link may be booked ahead before reading stops, nanoseconds.
    static let longestBacklog: Int64 = 20_000_000
    /// Bytes that may be on their way before reading stops.
    static let lineLimit = 16 << 20

    /// nil where the rate is not limited.
    private var clock: FlowClock?
    /// One way.
    let delay: Int64
    /// When everything that was read is through the bottleneck.
    private var freeAt: Int64 = 0

    init(_ wan: EdgeConfiguration.WAN?) {
        clock = wan?.bitsPerSecond.map {
            FlowClock(RateSchedule(constant: Bitrate(bitsPerSecond: $0)), now: 0)
        }
        delay = wan?.delayNanoseconds ?? 0
    }

    /// Bytes of payload were read at `now`; returns when they have arrived. Never before those
    /// read earlier.
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

    /// When more may be read: bytes are to wait in the sender's queue, not here. nil = now.
    func pause(at now: Int64, onTheWay bytes: Int) -> Int64? {
        if freeAt - now > Self.longestBacklog { return freeAt - Self.longestBacklog / 2 }
        return bytes > Self.lineLimit ? now + 5_000_000 : nil
    }
}
