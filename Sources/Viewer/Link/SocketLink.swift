// How links on sockets work. `SocketLink` is a virtual clock: bytes are read when they have become
// due, and the clock advances by their cost, so late ticks lose nothing; an idle link keeps the
// credit of one tick. HLS responses arrive by that clock, so a measured rate is the link's rate,
// whenever the loop reads. A download in progress is judged by the bytes that have arrived by then
// (`ArrivalLine`). Load viewers behind links take turns on a 5 ms tick; lazy ones read every 16 KiB
// or 50 ms. HLS viewers read every 64 KiB or 200 ms where only first and last bytes matter
// (`nextRead`). Delay is a bounded queue after the read and before requests; a lost packet holds the
// queue for a round trip. TCP_MAXSEG and SO_RCVBUF are set before connect, so that the sender's
// queue grows as on a real link.

import Netem
import SimulationKernel

/// The running form of a link on a socket. It determines how many bytes may be read at a time, and
/// when they count as arrived. It reads no clock; times are nanoseconds of CLOCK_MONOTONIC.
///
/// `FlowClock` determines when bytes have come due; delay and loss are added. An idle link keeps
/// the credit of one tick at most.
struct SocketLink {
    /// The schedules and models that many viewers share.
    final class Shared: Sendable {
        let schedule: RateSchedule
        let delay: DelayModel
        let loss: LossModel
        let headerBytes: Int
        /// Whether bytes arrive later than the read, because the link has delay or loss.
        let delays: Bool

        init(_ link: ViewerLink) {
            (schedule, delay, loss) = (link.rate, link.delay, link.loss)
            headerBytes = link.headerBytes
            delays =
                delay.nanoseconds > 0 || delay.jitterNanoseconds > 0 || loss != .none
                || schedule.periods.contains { $0.delayNanoseconds > 0 }
        }
    }

    /// Largest number of bytes that wait for their delay; nothing is read beyond it.
    static let lineLimit = 1 << 20
    /// Shortest time that a lost packet costs, because a retransmission also takes time on a link
    /// without delay.
    static let shortestRecovery: Int64 = 10_000_000

    let shared: Shared
    private var clock: FlowClock
    private var delayProcess: DelayProcess
    private var lossProcess: LossProcess
    /// Payload bytes read since the last complete packet.
    private var partialPacket = 0
    private var lastRelease: Int64 = 0
    private var heldUntil: Int64 = 0
    private(set) var stalls = 0
    private(set) var stalledNanoseconds: Int64 = 0

    /// - Parameters:
    ///   - origin: time at which the offset of the viewer's assignment holds.
    ///   - credit: longest idle time that the link makes up for, in nanoseconds.
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

    /// Returns the number of payload bytes that may be read at `now`.
    func due(at now: Int64) -> Int { clock.due(at: now) }

    /// Returns the time at which all of `bytes` of payload may be read; `Int64.max` means never.
    func time(toReceive bytes: Int) -> Int64 { clock.time(toReceive: bytes) }

    /// Notes that `bytes` of the `due` bytes were read. The viewer loses the rest of the due bytes,
    /// except for the credit.
    mutating func didRead(_ bytes: Int, of due: Int, at now: Int64) {
        clock.spend(bytes)
        if bytes < due { clock.idle(at: now) }
    }

    /// Notes that `bytes` were read at `now`.
    /// - Returns: the times at which the link had carried the first and the last of the bytes, at
    ///   most `now`.
    mutating func spend(_ bytes: Int, at now: Int64) -> (first: Int64, last: Int64) {
        let first = bytes > 0 ? clock.nextByteTime : clock.spentTime
        clock.spend(bytes)
        // A driver may read more bytes than a link with rate 0 can ever carry.
        return (min(first, now), min(clock.spentTime, now))
    }

    /// Notes that nothing waits to be read at `now`: the link does not make up for unused capacity.
    /// - Parameter keepsCredit: false if there was nothing to carry until now.
    mutating func idle(at now: Int64, keepsCredit: Bool = true) {
        clock.idle(at: now, keepsCredit: keepsCredit)
    }

    // MARK: Delay and loss

    /// Returns the one-way delay of the link at `now`, without jitter, in nanoseconds.
    func delay(at now: Int64) -> Int64 { shared.delay.nanoseconds + latency(at: now) }

    private func latency(at now: Int64) -> Int64 {
        shared.schedule.period(at: clock.instant(of: now)).delayNanoseconds
    }

    /// Returns the time at which bytes that were read at `now` have arrived, never before bytes
    /// that were read earlier. A packet that the loss model drops holds everything behind it for a
    /// round trip, as in TCP.
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

/// Queue of delayed bytes, oldest first. Its users bound it (`SocketLink.lineLimit`).
struct DelayedBytes {
    private var entries: [(time: Int64, bytes: [UInt8])] = []
    private var head = 0
    private(set) var count = 0

    var nextTime: Int64? { head < entries.count ? entries[head].time : nil }

    mutating func append(_ bytes: [UInt8], at time: Int64) {
        entries.append((time, bytes))
        count += bytes.count
    }

    /// Removes and returns the oldest bytes if their time has come.
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
