import Netem
import SimulationKernel

/// The running form of a link on a socket: how many bytes may be read at a moment, and when they
/// count as arrived. Pure; times are CLOCK_MONOTONIC nanoseconds.
///
/// A virtual clock follows what has been read: everything before `spentUntil` is spent. Bytes are
/// read when they have come due, and the clock then moves by what they cost, so that late ticks and
/// odd sizes lose nothing. A link that idles keeps the credit of one tick at most.
struct SocketLink {
    /// What schedules and models many viewers share.
    final class Shared: Sendable {
        let schedule: RateSchedule
        let delay: DelayModel
        let loss: LossModel
        let payloadShare: Double
        /// Whether bytes count as arrived only after the read.
        let delays: Bool

        init(_ link: ViewerLink) throws {
            (schedule, delay, loss) = (try link.schedule(), link.delay, link.loss)
            payloadShare =
                Double(SocketLink.packetPayload)
                / Double(SocketLink.packetPayload + link.headerBytes)
            delays =
                delay.nanoseconds > 0 || delay.jitterNanoseconds > 0 || loss != .none
                || schedule.periods.contains { $0.delayNanoseconds > 0 }
        }
    }

    /// Payload of a full packet, bytes (MTU 1500, timestamps).
    static let packetPayload = 1448
    /// Bytes that may wait for their delay; nothing is read beyond.
    static let lineLimit = 1 << 20
    /// A lost packet costs at least this (a retransmission is not free on a link without delay).
    static let shortestRecovery: Int64 = 10_000_000

    let shared: Shared
    /// Seconds on the schedule's axis less seconds of CLOCK_MONOTONIC.
    private let shift: Double
    private let creditSeconds: Double
    private var spentUntil: Double
    private var spentCursor = RateSchedule.Cursor()
    private var nowCursor = RateSchedule.Cursor()
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
        _ shared: Shared, _ place: ViewerLinkPlace, origin: Int64, now: Int64, credit: Int64
    ) throws {
        self.shared = shared
        shift = Double(place.offsetNanoseconds - origin) / 1e9
        creditSeconds = Double(credit) / 1e9
        spentUntil = Double(now) / 1e9 + shift
        delayProcess = DelayProcess(
            shared.delay, random: SeededGenerator(seed: place.seed, entity: "socket delay"))
        lossProcess = try LossProcess(
            shared.loss, random: SeededGenerator(seed: place.seed, entity: "socket loss"))
    }

    // MARK: Rate

    /// Bytes of payload that may be read at `now`.
    mutating func due(at now: Int64) -> Int {
        let seconds = Double(now) / 1e9 + shift
        guard seconds > spentUntil else { return 0 }
        let bits =
            nowCursor.capacity(at: seconds, in: shared.schedule)
            - spentCursor.capacity(at: spentUntil, in: shared.schedule)
        // A rate of many Gbit/s after a long sleep is still an Int.
        return Int(min(bits * shared.payloadShare / 8, 1e15))
    }

    /// When `bytes` of payload may be read, in whole; `Int64.max` is never.
    mutating func when(_ bytes: Int) -> Int64 {
        let bits = Double(bytes) * 8 / shared.payloadShare
        let seconds = spentCursor.seconds(toMove: bits, from: spentUntil, in: shared.schedule)
        let time = (seconds - shift) * 1e9
        // Rounded up: at that moment they are due.
        return time < 9e18 ? Int64(time.rounded(.up)) + 1 : .max
    }

    /// `bytes` of `due` were read; what was due besides is gone, but for the credit.
    mutating func took(_ bytes: Int, of due: Int, at now: Int64) {
        spend(bytes, at: now)
        if bytes < due { idle(at: now) }
    }

    /// `bytes` were read at `now`.
    /// - Returns: when the link had carried the first of them and when the last: no later than that.
    @discardableResult
    mutating func spend(_ bytes: Int, at now: Int64) -> (first: Int64, last: Int64) {
        var first = spentUntil
        if bytes > 0 {
            let bits = Double(bytes) * 8 / shared.payloadShare
            first = spentCursor.seconds(
                toMove: bits / Double(bytes), from: spentUntil, in: shared.schedule)
            spentUntil = spentCursor.seconds(
                toMove: bits, from: spentUntil, in: shared.schedule)
        }
        // What is due is all carried; but by rounding, the last bit of a link that dies may never be.
        return (
            Int64(min((first - shift) * 1e9, Double(now))),
            Int64(min((spentUntil - shift) * 1e9, Double(now)))
        )
    }

    /// Nothing waits to be read at `now`: what the link could have carried is not made up for.
    /// - Parameter keepsCredit: false where nothing was there to be carried until now.
    mutating func idle(at now: Int64, keepsCredit: Bool = true) {
        let credit = keepsCredit ? creditSeconds : 0
        spentUntil = max(spentUntil, Double(now) / 1e9 + shift - credit)
    }

    // MARK: Delay and loss

    /// One-way delay of the link at `now`, without jitter (nanoseconds).
    mutating func delay(at now: Int64) -> Int64 {
        shared.delay.nanoseconds + latency(at: now)
    }

    private mutating func latency(at now: Int64) -> Int64 {
        Int64(
            nowCursor.delaySeconds(at: max(0, Double(now) / 1e9 + shift), in: shared.schedule)
                * 1e9)
    }

    /// When bytes that were read at `now` have arrived. Never before those read earlier. A packet
    /// that the loss model takes holds everything behind it for a round trip, as TCP does.
    mutating func release(_ bytes: Int, at now: Int64) -> Int64 {
        guard shared.delays else { return now }
        let latency = latency(at: now)
        var time = now + delayProcess.next(extra: latency)
        partialPacket += bytes
        while partialPacket >= Self.packetPayload {
            partialPacket -= Self.packetPayload
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
