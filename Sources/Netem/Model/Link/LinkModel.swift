// How the link model works. The outcome of a packet is decided when it arrives or when its
// predecessor has been sent; departures carry their theoretical times, so a late caller changes
// nothing. Busy periods keep the exact remainder (nanobits), so rates do not drift. There is no
// existential type and no allocation per packet.

import DequeModule
import SimulationKernel

/// One direction of a link, packet by packet, in virtual time: loss, then a queue in front of a
/// rate, then delay with jitter, reordering and duplication.
///
/// The model reads no clock: the caller states the times at which packets arrive, events carry
/// their theoretical times, and a late call changes nothing. All randomness comes from the seed,
/// with one stream per cell. Times are nanoseconds from the caller's origin, 0 or more.
public struct LinkModel: Sendable {
    /// Size of the largest packet in bytes.
    public static let largestPacketBytes = 1 << 24
    /// The latest time in nanoseconds (73 years).
    public static let latestNanoseconds: Int64 = 1 << 61

    /// Sums so far.
    public private(set) var counters = LinkCounters()
    public let spec: LinkSpec

    private var loss: LossProcess
    private var queue: PacketQueue
    private var server: RateServer
    private var delay: DelayProcess
    private var line: DelayLine
    /// Losses and drops that were not taken yet, in the order of their times.
    private var drops = Deque<LinkEvent>()
    private var scheduleRandom: SeededGenerator
    private var reorderRandom: SeededGenerator
    private var duplicateRandom: SeededGenerator

    /// The packet that is being sent, until `finish`; for traces, `unsent` of its bytes remain.
    private var inService: LinkPacket?
    private var finish = Int64.max
    private var unsent = 0
    private var now: Int64 = 0
    private let isTrace: Bool
    private let isUnlimited: Bool

    /// - Throws: `LinkError` if a parameter is out of its range.
    public init(_ spec: LinkSpec, seed: UInt64) throws(LinkError) {
        try spec.check()
        self.spec = spec
        loss = try LossProcess(spec.loss, random: SeededGenerator(seed: seed, entity: "loss"))
        queue = PacketQueue(spec.queue, random: SeededGenerator(seed: seed, entity: "queue"))
        server = RateServer(spec.rate)
        delay = DelayProcess(spec.delay, random: SeededGenerator(seed: seed, entity: "delay"))
        line = DelayLine(keepsOrder: spec.delay.keepsOrder && spec.reorder == 0)
        scheduleRandom = SeededGenerator(seed: seed, entity: "schedule")
        reorderRandom = SeededGenerator(seed: seed, entity: "reorder")
        duplicateRandom = SeededGenerator(seed: seed, entity: "duplicate")
        isTrace = server.isTrace
        isUnlimited = server.isUnlimited
    }

    /// Notes that a packet of `bytes` (1 to `largestPacketBytes`) reaches the link at `instant`. If
    /// the model has already reached a later time, the packet arrives at that time. `id` is the
    /// caller's own.
    public mutating func arrive(id: UInt64, bytes: Int, at instant: Int64) {
        precondition((1...Self.largestPacketBytes).contains(bytes), "a packet has 1 B to 16 MiB")
        precondition(instant <= Self.latestNanoseconds, "a time is at most 2^61 ns")
        serve(until: instant)
        let packet = LinkPacket(
            id: id, arrivedNanoseconds: now, bytes: Int32(bytes),
            cost: Int32(bytes + spec.overhead.bytes))
        counters.arrived.add(packet.bytes)
        let periodLoss = server.loss(at: now)
        if loss.loses() || (periodLoss > 0 && scheduleRandom.nextUnit() < periodLoss) {
            drops.append(packet.event(.lost, at: now))
        } else if isUnlimited {
            send(packet, at: now)
        } else if inService == nil, !isTrace, queue.isEmpty {
            start(packet, at: now)
        } else {
            queue.enqueue(packet, now: now, drops: &drops)
        }
    }

    /// Returns the next event not later than `instant`, in the order of times; nil if there is
    /// none.
    public mutating func next(until instant: Int64) -> LinkEvent? {
        let instant = min(instant, Self.latestNanoseconds)
        serve(until: instant)
        if let drop = drops.first, drop.nanoseconds <= instant,
            drop.nanoseconds <= line.next ?? .max
        {
            drops.removeFirst()
            if drop.outcome == .lost {
                counters.lost.add(drop.bytes)
            } else {
                counters.dropped.add(drop.bytes)
            }
            return drop
        }
        guard let entry = line.leave(until: instant) else { return nil }
        counters.departed.add(entry.packet.bytes)
        return entry.packet.event(entry.isCopy ? .duplicated : .departed, at: entry.leaves)
    }

    /// Time before which nothing leaves if no further packet arrives; nil if nothing ever leaves.
    public var nextEventNanoseconds: Int64? {
        var next = min(drops.first?.nanoseconds ?? .max, line.next ?? .max)
        let shortest =
            spec.delay.jitterNanoseconds == 0 && spec.reorder == 0 ? spec.delay.nanoseconds : 0
        if isTrace {
            if inService != nil || !queue.isEmpty {
                next = min(next, server.nextOpportunity + shortest)
            }
        } else if inService != nil, finish < .max {
            next = min(next, finish + shortest)
        }
        return next == .max ? nil : next
    }

    /// Contents of the link, and of the events that were not taken yet: the packets that wait, that
    /// are being sent and that are delayed.
    public var inside: PacketCount {
        var count = PacketCount()
        for packet in queue.packets { count.add(packet.bytes) }
        if let inService { count.add(inService.bytes) }
        for entry in line.entries { count.add(entry.packet.bytes) }
        for drop in drops { count.add(drop.bytes) }
        return count
    }

    /// Number of waiting bytes, with their overhead and without the packet that is being sent.
    public var queuedBytes: Int { queue.cost }

    /// Sends the packets that are due by `instant`.
    @inline(__always)
    private mutating func serve(until instant: Int64) {
        if isTrace {
            serveOpportunities(until: instant)
        } else {
            while finish <= instant, finish < .max, let packet = inService {
                let end = finish
                inService = nil
                finish = .max
                send(packet, at: end)
                if let next = queue.dequeue(now: end, drops: &drops) { start(next, at: end) }
            }
        }
        now = max(now, instant)
    }

    @inline(__always)
    private mutating func start(_ packet: LinkPacket, at instant: Int64) {
        inService = packet
        finish = server.finish(packet.cost, start: instant)
    }

    private mutating func serveOpportunities(until instant: Int64) {
        while server.nextOpportunity <= instant {
            if inService == nil, queue.isEmpty {
                server.skipOpportunities(until: instant)
                return
            }
            let time = server.nextOpportunity
            var left = DeliveryTrace.opportunityBytes
            while left > 0 {
                if inService == nil {
                    guard let packet = queue.dequeue(now: time, drops: &drops) else { break }
                    inService = packet
                    unsent = Int(packet.cost)
                }
                let sent = min(left, unsent)
                left -= sent
                unsent -= sent
                if unsent == 0, let packet = inService {
                    inService = nil
                    send(packet, at: time)
                }
            }
            server.skipOpportunity()
        }
    }

    /// Hands a packet that has passed the rate to the delay.
    @inline(__always)
    private mutating func send(_ packet: LinkPacket, at instant: Int64) {
        var leaves = instant &+ delay.next(extra: server.delay(at: instant))
        if spec.reorder > 0, reorderRandom.nextUnit() < spec.reorder { leaves = instant }
        // The copy leaves first: once the original has left, nothing of the packet may be inside.
        if spec.duplicate > 0, duplicateRandom.nextUnit() < spec.duplicate {
            counters.duplicated.add(packet.bytes)
            line.enter(packet, leaves: leaves, isCopy: true)
        }
        line.enter(packet, leaves: leaves)
    }
}
