// How links on sockets work. `SocketLink` is a virtual clock: bytes are read when they have become
// due, and the clock moves by their cost, so late ticks lose nothing; an idle link keeps one
// tick's credit. HLS responses arrive by that clock, so a rate is the link's, whenever the loop
// came to read; a download in progress is judged by the bytes that have arrived by then
// (`ArrivalLine`). Load viewers behind links take turns on a 5 ms tick; lazy ones read every 16
// KiB or 50 ms. Delay is a bounded line after the read and before requests; a lost packet holds
// the line for a round trip. TCP_MAXSEG and SO_RCVBUF are set before connect, so that the sender's
// queue grows as on a real link.

import Netem
import SimulationKernel

/// The running form of a link on a socket: how many bytes may be read at a moment, and when they
/// count as arrived. Pure; times are CLOCK_MONOTONIC nanoseconds.
///
/// `FlowClock` says when bytes have come due; delay and loss come on top. A link that idles keeps the
/// credit of one tick at most.
struct SocketLink {
    /// What schedules and models many viewers share.
    final class Shared: Sendable {
        let schedule: RateSchedule
        let delay: DelayModel
        let loss: LossModel
        let headerBytes: Int
        /// Whether bytes count as arrived only after the read.
        let delays: Bool

        init(_ link: ViewerLink) {
            (schedule, delay, loss) = (link.rate, link.delay, link.loss)
            headerBytes = link.headerBytes
            delays =
                delay.nanoseconds > 0 || delay.jitterNanoseconds > 0 || loss != .none
                || schedule.periods.contains { $0.delayNanoseconds > 0 }
        }
    }

    /// Bytes that may wait for their delay; nothing is read beyond.
    static let lineLimit = 1 << 20
    /// A lost packet costs at least this (a retransmission is not free on a link without delay).
    static let shortestRecovery: Int64 = 10_000_000

    let shared: Shared
    private var clock: FlowClock
    private var delayProcess: DelayProcess
    private var lossProcess: LossProcess
    /// Payload read since the last whole packet.
    private var partialPacket = 0
    private var lastRelease: Int64 = 0
    private var heldUntil: Int64 = 0
    private(set) var stalls = 0
    private(set) var stalledNanoseconds: Int64 = 0

    /// - Parameters:
    ///   - origin: moment at which the place's offset holds.
    ///   - credit: longest idle time that is made up for, nanoseconds.
    init(
        _ shared: Shared, _ place: LinkAssignment, origin: Int64, now: Int64, credit: Int64
    ) throws {
        self.shared = shared
        clock = FlowClock(
            shared.schedule, overheadBytes: shared.headerBytes,
            shift: place.offsetNanoseconds &- origin, creditNanoseconds: credit, now: now)
        delayProcess = DelayProcess(
            shared.delay, random: SeededGenerator(seed: place.seed, entity: "socket delay"))
        lossProcess = try LossProcess(
            shared.loss, random: SeededGenerator(seed: place.seed, entity: "socket loss"))
    }

    // MARK: Rate

    /// Bytes of payload that may be read at `now`.
    func due(at now: Int64) -> Int { clock.due(at: now) }

    /// When `bytes` of payload may be read, in whole; `Int64.max` is never.
    func time(toReceive bytes: Int) -> Int64 { clock.time(toReceive: bytes) }

    /// Takes note that `bytes` of the `due` bytes were read. The rest of the due bytes is lost to the
    /// viewer, except for the credit.
    mutating func didRead(_ bytes: Int, of due: Int, at now: Int64) {
        clock.spend(bytes)
        if bytes < due { clock.idle(at: now) }
    }

    /// `bytes` were read at `now`.
    /// - Returns: when the link had carried the first of them and when the last: no later than that.
    mutating func spend(_ bytes: Int, at now: Int64) -> (first: Int64, last: Int64) {
        let first = bytes > 0 ? clock.nextByteTime : clock.spentTime
        clock.spend(bytes)
        // A driver may read more than a link that dies can ever carry.
        return (min(first, now), min(clock.spentTime, now))
    }

    /// Nothing waits to be read at `now`: what the link could have carried is not made up for.
    /// - Parameter keepsCredit: false where nothing was there to be carried until now.
    mutating func idle(at now: Int64, keepsCredit: Bool = true) {
        clock.idle(at: now, keepsCredit: keepsCredit)
    }

    // MARK: Delay and loss

    /// One-way delay of the link at `now`, without jitter (nanoseconds).
    func delay(at now: Int64) -> Int64 { shared.delay.nanoseconds + latency(at: now) }

    private func latency(at now: Int64) -> Int64 {
        shared.schedule.period(at: clock.instant(of: now)).delayNanoseconds
    }

    /// When bytes that were read at `now` have arrived. Never before those read earlier. A packet
    /// that the loss model takes holds everything behind it for a round trip, as TCP does.
    mutating func release(_ bytes: Int, at now: Int64) -> Int64 {
        guard shared.delays else { return now }
        let latency = latency(at: now)
        var time = now + delayProcess.next(extra: latency)
        partialPacket += bytes
        while partialPacket >= TCPSegment.payloadBytes {
            partialPacket -= TCPSegment.payloadBytes
            guard lossProcess.loses() else { continue }
            let recovery = max(
                2 * (shared.delay.nanoseconds + latency), Self.shortestRecovery)
            stalls += 1
            stalledNanoseconds += max(0, time + recovery - max(heldUntil, time))
            heldUntil = max(heldUntil, time + recovery)
        }
        time = max(time, heldUntil, lastRelease)
        lastRelease = time
        return time
    }
}

/// Bytes on their way, oldest first; bounded by who fills it (`SocketLink.lineLimit`).
struct DelayedBytes {
    private var entries: [(time: Int64, bytes: [UInt8])] = []
    private var head = 0
    private(set) var count = 0

    var nextTime: Int64? { head < entries.count ? entries[head].time : nil }

    mutating func append(_ bytes: [UInt8], at time: Int64) {
        entries.append((time, bytes))
        count += bytes.count
    }

    /// The oldest bytes, once their time has come.
    mutating func pop(at now: Int64) -> [UInt8]? {
        guard head < entries.count, entries[head].time <= now else { return nil }
        let bytes = entries[head].bytes
        entries[head].bytes = []
        head += 1
        count -= bytes.count
        if head == entries.count || head > 1024 {
            entries.removeFirst(head)
            head = 0
        }
        return bytes
    }
}
