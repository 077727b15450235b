import Netem
import SimulationKernel
import Testing

/// Mahimahi's semantics, by hand from its documentation.
@Suite struct DeliveryTests {
    /// Opportunities at 2, 5, 5 and 10 ms, then 12, 15, 15, 20 ms …
    static let trace = try! DeliveryTrace(milliseconds: [2, 5, 5, 10])

    private func departures(
        _ arrivals: [(ms: Int64, bytes: Int)], offset: Int64 = 0,
        queue: QueueDiscipline = .infinite
    ) throws -> [Int64] {
        var run = try LinkRun(
            LinkSpec(
                rate: .trace(Self.trace, startOffsetNanoseconds: offset * millisecond),
                queue: queue))
        for (ms, bytes) in arrivals { run.arrive(bytes, at: ms * millisecond) }
        run.drain()
        #expect(run.balances)
        return run.times(.departed).map { $0 / millisecond }
    }

    @Test func opportunities() throws {
        let cases:
            [(name: String, arrivals: [(ms: Int64, bytes: Int)], offset: Int64, out: [Int64])] = [
                ("one each", [(0, 1504), (0, 1504), (0, 1504)], 0, [2, 5, 5]),
                ("an opportunity is shared", [(0, 500), (0, 1004), (0, 1)], 0, [2, 2, 5]),
                ("a packet straddles", [(0, 1000), (0, 1000), (0, 1008)], 0, [2, 5, 5]),
                ("a large packet takes several", [(0, 4000)], 0, [5]),
                ("what is left serves the next", [(0, 1505), (0, 1503)], 0, [5, 5]),
                ("unused bytes are wasted", [(0, 100), (3, 1504), (3, 1504)], 0, [2, 5, 5]),
                ("before an arrival of the same ms", [(2, 100), (5, 100)], 0, [5, 10]),
                ("the trace repeats", [(10, 1504), (11, 1504), (11, 1504)], 0, [12, 15, 15]),
                ("far ahead", [(1_000_000_003, 9)], 0, [1_000_000_005]),
                ("far ahead, at an end", [(1_000_000_010, 9)], 0, [1_000_000_012]),
                ("offset", [(0, 1504), (0, 1504), (16, 10)], 7, [9, 12, 17]),
                ("offset in the future", [(0, 10)], 100, [102]),
            ]
        for c in cases {
            #expect(try departures(c.arrivals, offset: c.offset) == c.out, "\(c.name)")
        }
    }

    /// A packet whose first bytes are gone no longer counts as queued.
    @Test func dropTailLimit() throws {
        var run = try LinkRun(LinkSpec(rate: .trace(Self.trace), queue: .dropTail(.bytes(3008))))
        for _ in 0..<3 { run.arrive(1504, at: 0) }
        #expect(run.ids(.dropped) == [2])
        run.drain()
        run = try LinkRun(LinkSpec(rate: .trace(Self.trace), queue: .dropTail(.bytes(3008))))
        run.arrive(2000, at: 0)
        run.arrive(1504, at: 3 * millisecond)
        run.arrive(1504, at: 3 * millisecond)
        run.arrive(1, at: 3 * millisecond)
        #expect(run.ids(.dropped) == [3])
        run.drain()
        // At 5 ms 496 + 1008 and 496 + 1008 bytes; the rest of the third packet at 10 ms.
        #expect(run.times(.departed).map { $0 / millisecond } == [5, 5, 10])
    }

    /// Idle times never change what happens later: the searched place in the trace is the walked one.
    @Test(arguments: [UInt64(1), 2, 3]) func skippingIsWalking(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var times = (0..<50).map { _ in Int64.random(in: 0...200, using: &random) }.sorted()
        times.append(211)
        let trace = try DeliveryTrace(milliseconds: times)
        var link = try LinkModel(LinkSpec(rate: .trace(trace)), seed: 0)
        var now: Int64 = 0
        for i in 0..<2000 {
            now += .random(in: 0...700, using: &random)
            link.arrive(id: UInt64(i), bytes: 100, at: now * millisecond)
            var expected = now + 1
            while !times.contains(where: { expected % 211 == $0 % 211 }) { expected += 1 }
            #expect(link.nextEventNanoseconds == expected * millisecond, "seed \(seed), \(now)")
            let event = link.next(until: expected * millisecond)
            #expect(event?.nanoseconds == expected * millisecond, "seed \(seed), \(now)")
            now = expected
        }
    }

    @Test func rateScheduleKeepsTheBits() throws {
        let schedule = try Self.trace.rateSchedule(binMilliseconds: 4)
        #expect(schedule.periods.map(\.durationNanoseconds) == [4_000_000, 4_000_000, 2_000_000])
        #expect(schedule.periods.map(\.bitsPerSecond) == [3_008_000, 6_016_000, 6_016_000])
        #expect(schedule.bits(from: 0, to: 10_000_000) == 4 * 1504 * 8)
        // Found by fuzzing: a month between two lines is no million of bins.
        let sparse = try DeliveryTrace(milliseconds: [0, 3_113_117_373]).rateSchedule()
        #expect(sparse.periods.map(\.bitsPerSecond) == [120_320, 0, 164_822])
        #expect(sparse.cycleNanoseconds == 3_113_117_373_000_000)
        #expect(Self.trace.averageBitsPerSecond == 4_812_800)
        #expect(abs(schedule.averageBitsPerSecond - 4_812_800) < 1e-6)
    }

    /// A log in the form of the replay, by hand: 1504 bytes at 2 ms, one dropped, the rest at 5 ms.
    @Test func replayCountsDifferences() throws {
        let head = "# offset_ms=3 queue=x\nevent,t_ms,bytes,delay_ms\n"
        let body =
            "arrive,4,1504,\narrive,4,1504,\narrive,4,9,\ndrop,4,9,\ndepart,5,1504,1\ndepart,8,1504,4\n"
        let log = try LinkLog(parsing: Array((head + body).utf8), file: "a.csv")
        #expect(log.offsetMilliseconds == 3 && log.rows.count == 6)
        var spec = LinkSpec(
            rate: .trace(Self.trace, startOffsetNanoseconds: 3 * millisecond),
            queue: .dropTail(.bytes(3008)))
        var replay = try LinkReplay(log, through: spec)
        #expect(replay.mismatches == 0, "\(replay.differences)")
        #expect(replay.arrivals == 3 && replay.departures == 2 && replay.drops == 1)
        spec.queue = .infinite
        replay = try LinkReplay(log, through: spec)
        #expect(replay.differences == ["- drop,4,9, (line 6)", "+ depart,8,9,4"])
        #expect(replay.mismatches == 2)
        spec.queue = .dropTail(.bytes(3008))
        spec.rate = .trace(Self.trace)
        #expect(try LinkReplay(log, through: spec).mismatches > 0)
    }

    /// The nanosecond form: what `LinkLogText` writes is read again, options included.
    @Test func logInNanoseconds() throws {
        let spec = LinkSpec(
            loss: .bernoulli(0.2), rate: .constant(Bitrate(kilobitsPerSecond: 999)),
            queue: .dropTail(.packets(2)), delay: DelayModel(nanoseconds: 1_234_567))
        var link = try LinkModel(spec, seed: 3)
        let options: [LinkLog.Option] = [.init("delay", "20ms±5ms normal 25%"), .init("seed", "3")]
        var text = LinkLogText(title: "a link", options: options)
        for i in 0..<200 {
            let instant = Int64(i) * 7_654_321
            while let event = link.next(until: instant) { text.write(event) }
            link.arrive(id: UInt64(i), bytes: 100 + 7 * i, at: instant)
            text.arrival(at: instant, bytes: 100 + 7 * i)
        }
        while let event = link.next(until: .max) { text.write(event) }
        let log = try LinkLog(parsing: text.bytes, file: "a.csv")
        #expect(log.options == options && log.unitNanoseconds == 1)
        let replay = try LinkReplay(log, through: spec, seed: 3)
        #expect(replay.mismatches == 0, "\(replay.differences)")
        #expect(replay.arrivals == 200 && replay.drops > 20)
        #expect(try LinkReplay(log, through: spec, seed: 4).mismatches > 0)
    }

    @Test func logRefusals() {
        let cases: [(name: String, text: String, line: Int, code: TraceError.Code)] = [
            ("header", "arrive,1,2,\n", 1, .missingColumn),
            ("fields", "event,t_ms,bytes,delay_ms\narrive,1,2\n", 2, .malformed),
            ("event", "event,t_ms,bytes,delay_ms\narrived,1,2,\n", 2, .unknownColumn),
            ("order", "event,t_ms,bytes,delay_ms\narrive,3,2,\narrive,2,2,\n", 3, .notMonotone),
            ("size", "event,t_ms,bytes,delay_ms\narrive,3,0,\n", 2, .malformed),
            ("none", "event,t_ms,bytes,delay_ms\n", 0, .empty),
            ("offset", "# offset_ms=x\nevent,t_ms,bytes,delay_ms\n", 1, .malformed),
        ]
        for c in cases {
            let error = #expect(throws: TraceError.self, "\(c.name)") {
                try LinkLog(parsing: Array(c.text.utf8), file: "log.csv")
            }
            #expect(error?.line == c.line && error?.code == c.code, "\(c.name): \(error!)")
            #expect(error?.file == "log.csv", "\(c.name)")
        }
    }
}
