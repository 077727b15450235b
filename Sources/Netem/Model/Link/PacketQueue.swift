import DequeModule
import SimulationKernel

/// A packet inside the link.
struct LinkPacket: Sendable {
    var id: UInt64
    var arrivedNanoseconds: Int64
    var bytes: Int32
    /// Cost of the packet in the queue and at the rate: its bytes with the overhead.
    var cost: Int32

    func event(_ outcome: LinkEvent.Outcome, at instant: Int64) -> LinkEvent {
        LinkEvent(
            id: id, arrivedNanoseconds: arrivedNanoseconds, nanoseconds: instant, bytes: bytes,
            outcome: outcome)
    }
}

/// The waiting packets of one discipline.
struct PacketQueue: Sendable {
    private enum Kind: Sendable { case dropTail, dropHead, coDel, pie }

    private let kind: Kind
    private let largestBytes: Int
    private let largestCount: Int
    private var waiting = Deque<LinkPacket>()
    /// Cost of the waiting packets in bytes.
    private(set) var cost = 0
    private var coDel: CoDel
    private var pie: PIE

    init(_ discipline: QueueDiscipline, random: SeededGenerator) {
        var limit: QueueLimit?
        var coDel = CoDelParameters()
        var pie = PIEParameters()
        switch discipline {
        case .infinite: kind = .dropTail
        case .dropTail(let most): (kind, limit) = (.dropTail, most)
        case .dropHead(let most): (kind, limit) = (.dropHead, most)
        case .coDel(let parameters, let most): (kind, limit, coDel) = (.coDel, most, parameters)
        case .pie(let parameters, let most): (kind, limit, pie) = (.pie, most, parameters)
        }
        (largestBytes, largestCount) =
            switch limit {
            case .bytes(let n): (n, .max)
            case .packets(let n): (.max, n)
            case nil: (.max, .max)
            }
        self.coDel = CoDel(coDel)
        self.pie = PIE(pie, random: random)
    }

    var isEmpty: Bool { waiting.isEmpty }
    var packets: Deque<LinkPacket> { waiting }

    private func fits(_ packet: LinkPacket) -> Bool {
        cost + Int(packet.cost) <= largestBytes && waiting.count < largestCount
    }

    /// Adds `packet` to the queue at `now`, or drops it or other packets.
    mutating func enqueue(_ packet: LinkPacket, now: Int64, drops: inout Deque<LinkEvent>) {
        switch kind {
        case .dropTail, .coDel:
            guard fits(packet) else { return drops.append(packet.event(.dropped, at: now)) }
        case .pie:
            pie.update(until: now, queueIsEmpty: waiting.isEmpty)
            guard fits(packet), !pie.dropsEarly(queuedBytes: cost) else {
                return drops.append(packet.event(.dropped, at: now))
            }
        case .dropHead:
            while !fits(packet), let oldest = pop() {
                drops.append(oldest.event(.dropped, at: now))
            }
            guard fits(packet) else { return drops.append(packet.event(.dropped, at: now)) }
        }
        cost += Int(packet.cost)
        waiting.append(packet)
    }

    /// Returns the next packet to send at `now`.
    mutating func dequeue(now: Int64, drops: inout Deque<LinkEvent>) -> LinkPacket? {
        switch kind {
        case .dropTail, .dropHead: return pop()
        case .pie:
            pie.update(until: now, queueIsEmpty: waiting.isEmpty)
            let packet = pop()
            pie.sojourn = packet.map { now - $0.arrivedNanoseconds } ?? 0
            return packet
        case .coDel: return dequeueCoDel(now: now, drops: &drops)
        }
    }

    @inline(__always)
    private mutating func pop() -> LinkPacket? {
        guard let packet = waiting.popFirst() else { return nil }
        cost -= Int(packet.cost)
        return packet
    }

    /// Dequeues a packet as in RFC 8289, section 5.5 (`deque`).
    private mutating func dequeueCoDel(now: Int64, drops: inout Deque<LinkEvent>) -> LinkPacket? {
        var packet = popForCoDel(now)
        if coDel.isDropping {
            if !coDel.mayDrop { coDel.isDropping = false }
            while coDel.isDropping, now >= coDel.nextDrop, let victim = packet {
                drops.append(victim.event(.dropped, at: now))
                coDel.count += 1
                packet = popForCoDel(now)
                if coDel.mayDrop {
                    coDel.nextDrop = coDel.controlLaw(coDel.nextDrop)
                } else {
                    coDel.isDropping = false
                }
            }
        } else if coDel.mayDrop, let victim = packet {
            drops.append(victim.event(.dropped, at: now))
            packet = popForCoDel(now)
            coDel.startDropping(now)
        }
        return packet
    }

    /// Removes the first packet as in RFC 8289, section 5.6 (`dodequeue`), and judges whether the
    /// delay has been too long for an interval.
    private mutating func popForCoDel(_ now: Int64) -> LinkPacket? {
        let packet = pop()
        coDel.judge(
            sojourn: packet.map { now - $0.arrivedNanoseconds }, queuedBytes: cost, now: now)
        return packet
    }
}
