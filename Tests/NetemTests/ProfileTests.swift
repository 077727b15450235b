import Netem
import SimulationKernel
import Testing

@Suite struct NotationTests {
    @Test func queues() throws {
        let cases: [(String, QueueDiscipline)] = [
            ("infinite", .infinite), ("droptail:64KB", .dropTail(.bytes(64000))),
            ("droptail:64KiB", .dropTail(.bytes(65536))),
            ("droptail:65536B", .dropTail(.bytes(65536))),
            ("DropTail: 100p", .dropTail(.packets(100))),
            ("drophead:1.5KB", .dropHead(.bytes(1500))), ("codel", .coDel()),
            (
                "codel:target=10ms, interval=200ms,limit=1000p",
                .coDel(
                    .init(
                        targetNanoseconds: 10 * millisecond, intervalNanoseconds: 200 * millisecond),
                    limit: .packets(1000))
            ),
            ("pie", .pie()),
            (
                "pie:target=20ms,tupdate=30ms,burst=0ms,limit=64KB",
                .pie(
                    .init(
                        targetNanoseconds: 20 * millisecond, updateNanoseconds: 30 * millisecond,
                        burstNanoseconds: 0), limit: .bytes(64000))
            ),
        ]
        for (text, queue) in cases {
            #expect(try QueueDiscipline(parsing: text) == queue, "\(text)")
        }
    }

    @Test func lossDelayRate() throws {
        let losses: [(String, LossModel)] = [
            ("none", .none), ("1%", .bernoulli(0.01)), ("random:2.5%", .bernoulli(0.025)),
            ("gemodel:p=1%,r=10%", .gilbertElliott(p: 0.01, r: 0.1)),
            (
                "gemodel:p=1%,r=10%,1-h=70%,1-k=0.1%",
                .gilbertElliott(p: 0.01, r: 0.1, lossInBad: 0.7, lossInGood: 0.001)
            ),
            ("state:p13=1%,p31=10%", .fourState(p13: 0.01, p31: 0.1, p32: 0, p23: 1, p14: 0)),
            ("replay:0010", .replay([false, false, true, false])),
        ]
        for (text, loss) in losses { #expect(try LossModel(parsing: text) == loss, "\(text)") }
        let delays: [(String, DelayModel)] = [
            ("20ms", .init(nanoseconds: 20 * millisecond)),
            ("0ms", .init()),
            (
                "20ms±5ms normal",
                .init(
                    nanoseconds: 20 * millisecond, jitterNanoseconds: 5 * millisecond,
                    distribution: .normal)
            ),
            (
                "1s +- 500us pareto 25% reorder",
                .init(
                    nanoseconds: 1000 * millisecond, jitterNanoseconds: 500_000,
                    distribution: .pareto, correlation: 0.25, keepsOrder: false)
            ),
        ]
        for (text, delay) in delays { #expect(try DelayModel(parsing: text) == delay, "\(text)") }
        #expect(try RateModel(parsing: "2Mbps") == .constant(Bitrate(kilobitsPerSecond: 2000)))
        #expect(try RateModel(parsing: "unlimited") == .unlimited)
        #expect(
            try RateModel(parsing: "bucket:rate=1.5Mbps,burst=16KB")
                == .tokenBucket(Bitrate(kilobitsPerSecond: 1500), burstBytes: 16000))
    }

    @Test func refusals() {
        typealias Parse = (String) throws -> Void
        let queue: Parse = { _ = try QueueDiscipline(parsing: $0) }
        let loss: Parse = { _ = try LossModel(parsing: $0) }
        let delay: Parse = { _ = try DelayModel(parsing: $0) }
        let rate: Parse = { _ = try RateModel(parsing: $0) }
        let cases: [(parse: Parse, text: String, hint: String)] = [
            (queue, "doptail:64KB", "did you mean 'droptail'?"),
            (queue, "droptail", "droptail:64KB"), (queue, "droptail:64kb", "did you mean 'KB'?"),
            (queue, "droptail:64", "add a unit"), (queue, "droptail:0p", "at least one"),
            (queue, "droptail:-5KB", "64KB"), (queue, "codel:targt=5ms", "did you mean 'target'?"),
            (queue, "codel:target=5", "add a unit"), (queue, "codel:target=0ms", "more than 0"),
            (queue, "pie:target=5ms,target=6ms", "one value"), (queue, "", "infinite"),
            (queue, "infinite:5p", "no limit"), (loss, "200%", "0% to 100%"),
            (loss, "1", "add a unit"), (loss, "gmodel:p=1%", "did you mean 'gemodel'?"),
            (loss, "gemodel:p=1%", "needs p and r"), (loss, "-1%", "such as 1%"),
            (loss, "replay:012", "0 (passes)"), (delay, "-20ms", "20ms"),
            (delay, "20", "add a unit"), (delay, "20ms±5ms nomal", "did you mean 'normal'?"),
            (delay, "20ms±", "the jitter"), (delay, "20ms±1ms±2ms", "more than one"),
            (delay, "20ms±5ms 100%", "less than 1"), (delay, "99999999s", "one day"),
            (rate, "2Mbit", "did you mean 'Mbps'?"), (rate, "buckt:rate=1Mbps", "'bucket'"),
            (rate, "bucket:rate=1Mbps", "burst"), (rate, "9999Gbps", "1 Tbit/s"),
        ]
        for c in cases {
            let error = #expect(throws: LinkError.self, "\(c.text)") { try c.parse(c.text) }
            #expect(error?.message.contains(c.hint) == true, "\(c.text): \(error!)")
        }
    }
}

@Suite struct ProfileTests {
    @Test func names() throws {
        #expect(
            Set(LinkProfile.all.map(\.name))
                == [
                    "dsl", "cable", "fibre", "3g", "hspa", "lte", "5g", "wifi-good", "wifi-poor",
                    "drone-wifi", "satellite", "tunnel",
                ])
        #expect(try LinkProfile.named("LTE").name == "lte")
        let error = #expect(throws: LinkError.self) { try LinkProfile.named("wifi-bad") }
        #expect(error?.message == "there is no link profile 'wifi-bad'; did you mean 'wifi-good'?")
        #expect(try DeviceProfile(named: "Tablet").maximumHeight == 1080)
        #expect(DeviceProfile.allCases.map(\.maximumHeight) == [720, 1080, 2160])
        let device = #expect(throws: LinkError.self) { try DeviceProfile(named: "tabet") }
        #expect(device?.message.contains("'tablet'") == true)
    }

    @Test(arguments: LinkProfile.all) func profile(profile: LinkProfile) throws {
        for direction in LinkProfile.Direction.allCases {
            let schedule = profile.schedule(direction, seed: 1)
            #expect(schedule == profile.schedule(direction, seed: 1))
            #expect(schedule.periods[0].delayNanoseconds == profile.delay.nanoseconds)
            if schedule.periods.count > 1 {
                #expect(schedule != profile.schedule(direction, seed: 2))
                let mean =
                    switch direction == .down ? profile.down : profile.up {
                    case .fading(let fading), .tunnel(let fading, _): fading.mean
                    case .constant(let rate): rate
                    case .steps, .square: Bitrate(bitsPerSecond: 0)
                    }
                let ratio = schedule.averageBitsPerSecond / Double(mean.bitsPerSecond)
                #expect((0.5...1.6).contains(ratio), "\(direction): \(ratio) of the mean")
            }
            var run = try LinkRun(profile.spec(direction, seed: 1))
            for i in 0..<2000 { run.arrive(1200, at: Int64(i) * 10 * millisecond) }
            run.drain()
            #expect(run.balances)
            #expect(run.times(.departed).count > 500)
        }
    }

    @Test func generators() throws {
        let low = Bitrate(kilobitsPerSecond: 500)
        let high = Bitrate(kilobitsPerSecond: 3000)
        let square = try TraceGenerator.square(low: low, high: high, periodSeconds: 20)
            .schedule(seed: 0, delayNanoseconds: 7)
        #expect(square.periods.map(\.bitsPerSecond) == [3_000_000, 500_000])
        #expect(square.periods.map(\.durationNanoseconds) == [10_000_000_000, 10_000_000_000])
        #expect(square.periods.map(\.delayNanoseconds) == [7, 7])
        let steps = try TraceGenerator.steps([low, high, low], seconds: 2).schedule(seed: 0)
        #expect(steps.cycleNanoseconds == 6_000_000_000)
        #expect(throws: RateScheduleError.self) {
            try TraceGenerator.steps([], seconds: 2).schedule(seed: 0)
        }
        #expect(throws: RateScheduleError.self) {
            try TraceGenerator.square(low: low, high: high, periodSeconds: -1).schedule(seed: 0)
        }
        let hspa = try TraceGenerator.hspa(mean: high).schedule(seed: 3)
        #expect(hspa.periods.contains { $0.bitsPerSecond == 0 })
        let lte = try TraceGenerator.lte(mean: high).schedule(seed: 3)
        #expect(!lte.periods.contains { $0.bitsPerSecond == 0 })
        let tunnel = try TraceGenerator.tunnel(
            .init(mean: high, sigma: 0, correlation: 0), .init()
        ).schedule(seed: 3)
        let rates = tunnel.periods.map(\.bitsPerSecond)
        #expect(Set(rates) == [0, 300_000, 3_000_000])
        #expect(rates.prefix(40).allSatisfy { $0 == 3_000_000 })
    }
}
