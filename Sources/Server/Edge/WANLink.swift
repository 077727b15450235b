/// The way between an edge and its origin as a virtual clock, which computes when bytes that were
/// read from the origin's sockets have crossed the WAN. The type is pure; times are nanoseconds of
/// one clock.
struct WANLink {
    /// Payload and whole size of a full packet, in bytes (MTU 1500, timestamps).
    static let payload = 1448
    static let packet = 1500
    /// Time in nanoseconds up to which the link may be booked ahead before reading stops.
    static let longestBacklog: Int64 = 20_000_000
    /// Number of bytes that may be on the way before reading stops.
    static let lineLimit = 16 << 20

    private let bitsPerSecond: Int64?
    /// Delay one way.
    let delay: Int64
    /// Time at which everything that was read is through the bottleneck.
    private var freeAt: Int64 = 0
    /// Remainder of roundings, in units of 1/(rate × payload) ns.
    private var rest: Int128 = 0

    init(_ wan: EdgeConfiguration.WAN?) {
        bitsPerSecond = wan?.bitsPerSecond.map(Int64.init)
        delay = wan?.delayNanoseconds ?? 0
    }

    /// Books `bytes` of payload that were read at `now`, and returns the time of their arrival,
    /// which is never before that of earlier bytes.
    mutating func carry(_ bytes: Int, at now: Int64) -> Int64 {
        guard let bitsPerSecond else {
            freeAt = max(freeAt, now)
            return now + delay
        }
        if now > freeAt {
            freeAt = now
            rest = 0
        }
        let unit = Int128(bitsPerSecond) * Int128(Self.payload)
        let cost = Int128(bytes) * 8 * Int128(Self.packet) * 1_000_000_000 + rest
        freeAt += Int64(cost / unit)
        rest = cost % unit
        return freeAt + delay
    }

    /// Time at which more may be read, because bytes should wait in the sender's queue and not
    /// here; nil = now.
    func pause(at now: Int64, onTheWay bytes: Int) -> Int64? {
        if freeAt - now > Self.longestBacklog { return freeAt - Self.longestBacklog / 2 }
        return bytes > Self.lineLimit ? now + 5_000_000 : nil
    }
}
