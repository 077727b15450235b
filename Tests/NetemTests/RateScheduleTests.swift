import Netem
import SimulationKernel
import Testing

@Suite struct RateScheduleTests {
    typealias Period = RateSchedule.Period
    static let second: Int64 = 1_000_000_000

    /// 1 s at 1 Mbit/s, 2 s of outage, 1 s at 4 Mbit/s: 5 Mbit in 4 s.
    static let periods = [
        Period(durationNanoseconds: second, bitsPerSecond: 1_000_000, delayNanoseconds: 10),
        Period(durationNanoseconds: 2 * second, bitsPerSecond: 0, delayNanoseconds: 20, loss: 0.5),
        Period(durationNanoseconds: second, bitsPerSecond: 4_000_000, delayNanoseconds: 30),
    ]

    @Test func capacityByHand() throws {
        let schedule = try RateSchedule(periods: Self.periods)
        #expect(schedule.cycleNanoseconds == 4 * Self.second)
        #expect(schedule.averageBitsPerSecond == 1_250_000)
        let cases: [(from: Double, to: Double, bits: Double)] = [
            (0, 1, 1e6), (0.5, 1, 0.5e6), (0.5, 2.9, 0.5e6), (0, 3.5, 3e6), (0, 4, 5e6),
            (3.5, 4.5, 2.5e6), (0, 4000, 5e9), (1, 3, 0), (2, 1, 0), (-1, 1, 1e6),
        ]
        for c in cases {
            let bits = schedule.bits(from: Int64(c.from * 1e9), to: Int64(c.to * 1e9))
            #expect(bits == c.bits, "\(c)")
        }
    }

    @Test func instantsByHand() throws {
        let schedule = try RateSchedule(periods: Self.periods)
        let cases: [(bits: Double, from: Double, at: Double)] = [
            (0, 2, 2), (1, 0, 1e-6), (1e6, 0, 1), (1_000_001, 0, 3.000_000_25), (5e6, 0, 4),
            (5e6 + 1, 0, 4.000_001), (5e9, 0, 4000), (5e9, 1, 4001), (1e6, 3.5, 3.75),
            (2e6, 3.5, 4), (6e6, 0.5, 7.125), (1e6, 1, 3.25), (1e6, 2, 3.25),
        ]
        for c in cases {
            let from = Int64(c.from * 1e9)
            let instant = try #require(schedule.instant(ofBits: c.bits, from: from))
            #expect(instant == Int64((c.at * 1e9).rounded()), "\(c)")
            var cursor = RateSchedule.Cursor()
            let seconds = cursor.seconds(toMove: c.bits, from: c.from, in: schedule)
            #expect(abs(seconds - c.at) < 1e-9, "\(c)")
        }
    }

    @Test func periodsAndOffset() throws {
        let schedule = try RateSchedule(
            periods: Self.periods, startOffsetNanoseconds: 7 * Self.second)
        #expect(schedule.startOffsetNanoseconds == 3 * Self.second)
        #expect(schedule.period(at: 0).bitsPerSecond == 4_000_000)
        #expect(schedule.period(at: Self.second - 1).delayNanoseconds == 30)
        #expect(schedule.period(at: Self.second).delayNanoseconds == 10)
        #expect(schedule.period(at: 2 * Self.second).loss == 0.5)
        #expect(schedule.bits(from: 0, to: 2 * Self.second) == 5e6)
        var cursor = RateSchedule.Cursor()
        #expect(cursor.rate(at: 0, in: schedule) == 4e6)
        #expect(cursor.nextChange(after: 0, in: schedule) == 1)
        #expect(cursor.nextChange(after: 1, in: schedule) == 2)
        #expect(cursor.delaySeconds(at: 1.5, in: schedule) == 1e-8)
        #expect(cursor.loss(at: 3.99, in: schedule) == 0.5)
        #expect(cursor.rate(at: 0, in: schedule) == 4e6, "time may go back")
    }

    @Test func lastPeriodHolds() throws {
        let schedule = try RateSchedule(
            periods: [Self.periods[2], Self.periods[0]], wraps: false)
        #expect(schedule.bits(from: 0, to: 10 * Self.second) == 13e6)
        #expect(schedule.instant(ofBits: 13e6, from: 0) == 10 * Self.second)
        var cursor = RateSchedule.Cursor()
        #expect(cursor.seconds(toMove: 13e6, from: 0, in: schedule) == 10)
        #expect(cursor.nextChange(after: 1.5, in: schedule) == .infinity)
        let dead = try RateSchedule(periods: Array(Self.periods.prefix(2)), wraps: false)
        #expect(dead.instant(ofBits: 1e6, from: 0) == Self.second)
        #expect(dead.instant(ofBits: 1e6 + 1, from: 0) == nil)
        #expect(cursor.seconds(toMove: 1, from: .infinity, in: dead) == .infinity)
        var fresh = RateSchedule.Cursor()
        #expect(fresh.seconds(toMove: 1e6 + 1, from: 0, in: dead) == .infinity)
        let off = RateSchedule(constant: Bitrate(bitsPerSecond: 0))
        #expect(off.instant(ofBits: 1, from: 0) == nil)
        #expect(RateSchedule(constant: Bitrate(kilobitsPerSecond: 8)).bits(from: 0, to: 5) == 4e-5)
    }

    /// Billions of cycles away the answers are still exact to the nanosecond.
    @Test func nothingDrifts() throws {
        let schedule = try RateSchedule(periods: [
            Period(durationNanoseconds: 333_333_333, bitsPerSecond: 7_777_777),
            Period(durationNanoseconds: 1, bitsPerSecond: 3),
        ])
        let cycle = 7_777_777 * Int128(333_333_333) + 3
        let hours = Int64(400_000_000_000_000_000)
        let (n, rest) = hours.quotientAndRemainder(dividingBy: 333_333_334)
        let expected = Int128(n) * cycle + Int128(rest) * 7_777_777
        #expect(schedule.nanobits(from: 0, to: hours) == expected)
        #expect(schedule.instant(ofNanobits: expected, from: 0) == hours)
        #expect(schedule.instant(ofNanobits: expected + 1, from: 0) == hours + 1)
    }

    /// Chained cursor moves against the exact form, over random schedules.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6]) func cursorAgreesWithExactForm(seed: UInt64) throws
    {
        var random = SeededGenerator(seed: seed)
        let periods = (0..<Int.random(in: 1...40, using: &random)).map { _ in
            Period(
                durationNanoseconds: .random(in: 1...2_000_000_000, using: &random),
                bitsPerSecond: Bool.random(using: &random)
                    ? 0 : .random(in: 1...20_000_000, using: &random),
                delayNanoseconds: .random(in: 0...50_000_000, using: &random))
        }
        guard periods.contains(where: { $0.bitsPerSecond > 0 }) else { return }
        let schedule = try RateSchedule(
            periods: periods, startOffsetNanoseconds: .random(in: 0...5_000_000_000, using: &random)
        )
        var cursor = RateSchedule.Cursor()
        var now: Int64 = 0
        for i in 0..<2000 {
            let bits = Double(
                Int.random(in: 1...(i % 50 == 0 ? 900_000_000 : 3_000_000), using: &random))
            let end = try #require(schedule.instant(ofBits: bits, from: now))
            #expect(schedule.bits(from: now, to: end) >= bits, "seed \(seed)")
            #expect(schedule.bits(from: now, to: end - 1) < bits, "seed \(seed)")
            let seconds = cursor.seconds(toMove: bits, from: Double(now) / 1e9, in: schedule)
            // An outage can begin where the two round apart: then compare the bits.
            if abs(seconds - Double(end) / 1e9) > 1e-8 {
                let moved = schedule.bits(from: now, to: Int64((seconds * 1e9).rounded()))
                #expect(abs(moved - bits) < 1, "seed \(seed), \(now): \(seconds) against \(end)")
            }
            let middle = seconds / 2
            if i % 100 == 0 {
                let period = schedule.period(at: Int64(middle * 1e9))
                #expect(cursor.rate(at: middle, in: schedule) == Double(period.bitsPerSecond))
            }
            let change = cursor.nextChange(after: seconds, in: schedule)
            #expect(change > seconds, "seed \(seed)")
            now = end + .random(in: 0...100_000_000, using: &random)
        }
    }

    @Test func refusals() throws {
        let good = Self.periods[0]
        func with(_ change: (inout Period) -> Void) -> [Period] {
            var period = good
            change(&period)
            return [good, period]
        }
        let cases: [(name: String, periods: [Period], code: RateScheduleError.Code, at: Int?)] = [
            ("empty", [], .empty, nil),
            ("no time", with { $0.durationNanoseconds = 0 }, .nonPositiveDuration, 1),
            ("negative time", with { $0.durationNanoseconds = -1 }, .nonPositiveDuration, 1),
            ("negative rate", with { $0.bitsPerSecond = -1 }, .negativeRate, 1),
            ("negative delay", with { $0.delayNanoseconds = -1 }, .negativeDelay, 1),
            ("200 % loss", with { $0.loss = 2 }, .lossOutOfRange, 1),
            ("NaN loss", with { $0.loss = .nan }, .lossOutOfRange, 1),
            ("all zero", [Self.periods[1]], .allZero, nil),
            ("too long", with { $0.durationNanoseconds = .max }, .tooLong, 1),
        ]
        for c in cases {
            let error = #expect(throws: RateScheduleError.self, "\(c.name)") {
                try RateSchedule(periods: c.periods)
            }
            #expect(error?.code == c.code && error?.period == c.at, "\(c.name)")
        }
        #expect(throws: RateScheduleError.self) {
            try RateSchedule(periods: [good], startOffsetNanoseconds: -1)
        }
        #expect(throws: Never.self) { try RateSchedule(periods: [Self.periods[1]], wraps: false) }
    }
}
