import Netem
import SimulationKernel
import Testing

/// Feeds arrivals to a link and lists what comes out.
struct LinkRun {
    var link: LinkModel
    var events: [LinkEvent] = []
    var next: UInt64 = 0

    init(_ spec: LinkSpec, seed: UInt64 = 1) throws { link = try LinkModel(spec, seed: seed) }

    mutating func arrive(_ bytes: Int, at instant: Int64) {
        link.arrive(id: next, bytes: bytes, at: instant)
        next += 1
        drain(until: instant)
    }

    mutating func drain(until instant: Int64 = LinkModel.latestNanoseconds) {
        while let event = link.next(until: instant) { events.append(event) }
    }

    func times(_ outcome: LinkEvent.Outcome) -> [Int64] {
        events.filter { $0.outcome == outcome }.map(\.nanoseconds)
    }

    func ids(_ outcome: LinkEvent.Outcome) -> [UInt64] {
        events.filter { $0.outcome == outcome }.map(\.id)
    }

    /// bytes in = out + lost + dropped + inside, packets likewise.
    var balances: Bool {
        let c = link.counters
        let inside = link.inside
        return c.arrived.bytes + c.duplicated.bytes
            == c.departed.bytes + c.lost.bytes + c.dropped.bytes + inside.bytes
            && c.arrived.packets + c.duplicated.packets
                == c.departed.packets + c.lost.packets + c.dropped.packets + inside.packets
    }
}

let millisecond: Int64 = 1_000_000

@Suite struct LinkModelTests {
    /// 8 Mbit/s: a packet of 1000 bytes takes 1 ms.
    static let rate = Bitrate(bitsPerSecond: 8_000_000)

    @Test func constantRateByHand() throws {
        var run = try LinkRun(
            LinkSpec(rate: .constant(Self.rate), delay: .init(nanoseconds: 20 * millisecond)))
        run.arrive(1000, at: 0)
        run.arrive(1000, at: 0)
        run.arrive(500, at: 1_500_000)
        run.arrive(1000, at: 10 * millisecond)
        #expect(run.link.nextEventNanoseconds == 21 * millisecond)
        run.drain()
        #expect(run.times(.departed) == [21_000_000, 22_000_000, 22_500_000, 31_000_000])
        #expect(run.events.map(\.arrivedNanoseconds) == [0, 0, 1_500_000, 10_000_000])
        #expect(run.link.nextEventNanoseconds == nil)
    }

    /// Asking late, or in another rhythm, changes no time.
    @Test func latenessChangesNothing() throws {
        let spec = LinkSpec(
            loss: .bernoulli(0.1), rate: .constant(Self.rate), queue: .coDel(),
            delay: .init(
                nanoseconds: 5 * millisecond, jitterNanoseconds: 2 * millisecond,
                distribution: .normal, keepsOrder: false), duplicate: 0.05)
        var eager = try LinkRun(spec)
        var late = try LinkModel(spec, seed: 1)
        var random = SeededGenerator(seed: 9)
        var now: Int64 = 0
        for i in 0..<20_000 {
            now += .random(in: 0...1_300_000, using: &random)
            let bytes = Int.random(in: 40...1500, using: &random)
            eager.arrive(bytes, at: now)
            late.arrive(id: UInt64(i), bytes: bytes, at: now)
            #expect(eager.balances)
            let next = eager.link.nextEventNanoseconds
            #expect(next == nil || next! > now)
        }
        eager.drain()
        var events: [LinkEvent] = []
        while let event = late.next(until: LinkModel.latestNanoseconds) { events.append(event) }
        #expect(events == eager.events)
        #expect(eager.link.inside == PacketCount())
        #expect(!eager.times(.lost).isEmpty && !eager.times(.dropped).isEmpty)
        #expect(!eager.times(.duplicated).isEmpty)
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.nanoseconds <= $1.nanoseconds })
    }

    /// A million packets at a rate that no nanosecond divides: less than a packet of error.
    @Test(arguments: [(7_000_001, 1_000_000), (999_999_937, 100_000), (40_000_000_001, 100_000)])
    func constantRateDoesNotDrift(bitsPerSecond: Int, packets n: Int) throws {
        var link = try LinkModel(
            LinkSpec(rate: .constant(Bitrate(bitsPerSecond: bitsPerSecond))), seed: 1)
        var last: Int64 = 0
        for i in 0..<n { link.arrive(id: UInt64(i), bytes: 1500, at: 0) }
        while let event = link.next(until: LinkModel.latestNanoseconds) { last = event.nanoseconds }
        let exact =
            (Int128(n) * 12_000 * 1_000_000_000 + Int128(bitsPerSecond) - 1)
            / Int128(bitsPerSecond)
        #expect(Int128(last) == exact)
    }

    @Test func scheduleAndConstantAgree() throws {
        let split = try RateSchedule(periods: [
            .init(durationNanoseconds: 12_345, bitsPerSecond: 7_000_001),
            .init(durationNanoseconds: 999_983, bitsPerSecond: 7_000_001),
        ])
        var a = try LinkRun(LinkSpec(rate: .constant(Bitrate(bitsPerSecond: 7_000_001))))
        var b = try LinkRun(LinkSpec(rate: .schedule(split)))
        var random = SeededGenerator(seed: 3)
        var now: Int64 = 0
        for _ in 0..<5000 {
            now += .random(in: 0...3_000_000, using: &random)
            let bytes = Int.random(in: 1...1500, using: &random)
            a.arrive(bytes, at: now)
            b.arrive(bytes, at: now)
        }
        a.drain()
        b.drain()
        #expect(a.events == b.events)
    }

    /// 8 Mbit/s for 2 ms, an outage of 3 ms, again from the start; delay and loss of the period.
    @Test func scheduleByHand() throws {
        let schedule = try RateSchedule(periods: [
            .init(
                durationNanoseconds: 2 * millisecond, bitsPerSecond: 8_000_000,
                delayNanoseconds: 1000),
            .init(durationNanoseconds: 3 * millisecond, bitsPerSecond: 0, loss: 1),
        ])
        var run = try LinkRun(LinkSpec(rate: .schedule(schedule)))
        for _ in 0..<3 { run.arrive(1000, at: 500_000) }
        run.arrive(1000, at: 3 * millisecond)
        run.drain()
        #expect(run.times(.departed) == [1_501_000, 5_501_000, 6_501_000])
        #expect(run.times(.lost) == [3 * millisecond])
    }

    /// A bucket of 2000 bytes at 8 Mbit/s: two packets at once, then one a millisecond; what is left
    /// over while idle is capped.
    @Test func tokenBucketByHand() throws {
        var run = try LinkRun(LinkSpec(rate: .tokenBucket(Self.rate, burstBytes: 2000)))
        for _ in 0..<4 { run.arrive(1000, at: 0) }
        for _ in 0..<3 { run.arrive(1000, at: 50 * millisecond) }
        // Larger than the bucket: waits for a full one and leaves a debt of 1000 bytes.
        run.arrive(3000, at: 60 * millisecond)
        run.arrive(1000, at: 60 * millisecond)
        run.drain()
        #expect(
            run.times(.departed).map { $0 / 100_000 } == [0, 0, 10, 20, 500, 500, 510, 600, 620])
    }

    @Test func overheadCounts() throws {
        var run = try LinkRun(LinkSpec(rate: .constant(Self.rate), overhead: .wire))
        run.arrive(962, at: 0)
        run.drain()
        #expect(run.times(.departed) == [millisecond])
        #expect(run.link.counters.departed == PacketCount(packets: 1, bytes: 962))
    }

    @Test func neverPasses() throws {
        var run = try LinkRun(LinkSpec(rate: .constant(Bitrate(bitsPerSecond: 0))))
        run.arrive(1000, at: 0)
        run.arrive(1000, at: 5)
        run.drain()
        #expect(run.events.isEmpty && run.link.nextEventNanoseconds == nil && run.balances)
        #expect(run.link.inside == PacketCount(packets: 2, bytes: 2000))
    }

    /// The packet being sent no longer waits: 2500 bytes of limit hold two more.
    @Test func dropTailAndDropHead() throws {
        let limits: [(QueueLimit, waiting: Int)] = [(.bytes(2500), 2), (.packets(3), 3)]
        for (limit, waiting) in limits {
            var tail = try LinkRun(LinkSpec(rate: .constant(Self.rate), queue: .dropTail(limit)))
            var head = try LinkRun(LinkSpec(rate: .constant(Self.rate), queue: .dropHead(limit)))
            for _ in 0..<6 {
                tail.arrive(1000, at: 100)
                head.arrive(1000, at: 100)
            }
            tail.drain()
            head.drain()
            #expect(tail.ids(.departed) == Array(0...UInt64(waiting)), "\(limit)")
            #expect(tail.ids(.dropped) == Array(UInt64(waiting) + 1...5), "\(limit)")
            #expect(head.ids(.departed) == [0] + Array(UInt64(6 - waiting)...5), "\(limit)")
            #expect(head.ids(.dropped) == Array(1...UInt64(5 - waiting)), "\(limit)")
        }
    }

    @Test func jitterKeepsOrderOrNot() throws {
        var spec = LinkSpec(
            delay: .init(
                nanoseconds: 20 * millisecond, jitterNanoseconds: 5 * millisecond))
        for keeps in [true, false] {
            spec.delay.keepsOrder = keeps
            var run = try LinkRun(spec)
            for i in 0..<1000 { run.arrive(100, at: Int64(i) * millisecond) }
            run.drain()
            let ids = run.ids(.departed)
            #expect((ids == ids.sorted()) == keeps)
            #expect(run.times(.departed) == run.times(.departed).sorted())
            let delays = run.events.map { $0.nanoseconds - $0.arrivedNanoseconds }
            #expect(delays.min()! >= 15 * millisecond && delays.max()! <= 25 * millisecond)
        }
    }

    @Test(arguments: DelayModel.Distribution.allCases, [0.0, 0.6])
    func jitterMoments(distribution: DelayModel.Distribution, correlation: Double) throws {
        let spec = LinkSpec(
            delay: .init(
                nanoseconds: 1000 * millisecond, jitterNanoseconds: 10 * millisecond,
                distribution: distribution, correlation: correlation, keepsOrder: false))
        var link = try LinkModel(spec, seed: 5)
        let n = 50_000
        var x = [Double](repeating: 0, count: n)
        for i in 0..<n { link.arrive(id: UInt64(i), bytes: 1, at: 0) }
        while let event = link.next(until: LinkModel.latestNanoseconds) {
            x[Int(event.id)] = Double(event.nanoseconds) / 1e6 - 1000
        }
        let mean = x.reduce(0, +) / Double(n)
        let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
        let lag = zip(x, x.dropFirst()).reduce(0) { $0 + ($1.0 - mean) * ($1.1 - mean) }
        #expect(abs(mean) < 0.2)
        let deviation = distribution == .uniform ? 10 / 3.0.squareRoot() : 10
        // The fourth moment of the Pareto distribution is infinite: its variance settles slowly.
        #expect(
            abs(variance.squareRoot() / deviation - 1) < (distribution == .pareto ? 0.25 : 0.02))
        // Equal normal scores, but a heavy tail has a smaller linear correlation.
        let least = distribution == .pareto ? correlation / 2 : correlation
        #expect((least - 0.03...correlation + 0.03).contains(lag / variance / Double(n)))
    }

    @Test func reorderingOvertakes() throws {
        let spec = LinkSpec(delay: .init(nanoseconds: 20 * millisecond), reorder: 0.1)
        var run = try LinkRun(spec)
        for i in 0..<10_000 { run.arrive(100, at: Int64(i) * millisecond) }
        run.drain()
        let early = run.events.filter { $0.nanoseconds == $0.arrivedNanoseconds }.count
        #expect((900...1100).contains(early))
        #expect(run.events.count == 10_000)
    }

    @Test func duplicatesCount() throws {
        var run = try LinkRun(LinkSpec(duplicate: 0.25))
        for i in 0..<10_000 { run.arrive(100, at: Int64(i)) }
        run.drain()
        #expect((2300...2700).contains(run.times(.duplicated).count))
        #expect(run.link.counters.duplicated.packets == run.times(.duplicated).count)
        #expect(run.balances)
    }

    @Test func sameSeedSameEvents() throws {
        let spec = LinkProfile.all.first { $0.name == "wifi-poor" }!.spec(.down, seed: 4)
        func events(_ seed: UInt64) throws -> [LinkEvent] {
            var run = try LinkRun(spec, seed: seed)
            for i in 0..<5000 { run.arrive(1200, at: Int64(i) * 2 * millisecond) }
            run.drain()
            return run.events
        }
        #expect(try events(7) == events(7))
        #expect(try events(7) != events(8))
    }

    @Test func refusals() {
        let specs: [(String, LinkSpec)] = [
            ("200 % loss", LinkSpec(loss: .bernoulli(2))),
            ("NaN loss", LinkSpec(loss: .bernoulli(.nan))),
            ("negative delay", LinkSpec(delay: .init(nanoseconds: -1))),
            ("negative jitter", LinkSpec(delay: .init(jitterNanoseconds: -1))),
            ("correlation", LinkSpec(delay: .init(correlation: 1))),
            ("reorder", LinkSpec(reorder: -0.1)), ("duplicate", LinkSpec(duplicate: 1.1)),
            ("empty queue", LinkSpec(queue: .dropTail(.bytes(0)))),
            ("no burst", LinkSpec(rate: .tokenBucket(Self.rate, burstBytes: 0))),
            (
                "no bucket rate",
                LinkSpec(rate: .tokenBucket(Bitrate(bitsPerSecond: 0), burstBytes: 1))
            ),
            ("target", LinkSpec(queue: .coDel(.init(targetNanoseconds: 200_000_000)))),
            ("empty list", LinkSpec(loss: .replay([]))),
            ("four states", LinkSpec(loss: .fourState(p13: 0.6, p31: 1, p32: 0, p23: 0, p14: 0.6))),
        ]
        for (name, spec) in specs {
            #expect(throws: LinkError.self, "\(name)") { try LinkModel(spec, seed: 0) }
        }
    }
}
