import Foundation
import SimulationKernel
import Testing

@testable import Netem

@Suite struct FlowClockTests {
    private static let second: Int64 = 1_000_000_000

    /// The virtual clock that the way between an edge and its origin had: integers at one rate.
    private struct ConstantClock {
        var rate: Int64
        var freeAt: Int64 = 0
        var rest: Int128 = 0

        mutating func carry(_ bytes: Int, at now: Int64) -> Int64 {
            if now > freeAt {
                freeAt = now
                rest = 0
            }
            let unit = Int128(rate) * 1448
            let cost = Int128(bytes) * 8 * 1500 * 1_000_000_000 + rest
            freeAt += Int64(cost / unit)
            rest = cost % unit
            return freeAt
        }
    }

    /// The virtual clock that viewers' links on sockets had: seconds in floating point.
    private struct FloatingClock {
        var schedule: RateSchedule
        var share: Double
        var shift: Double
        var credit: Double
        var spentUntil: Double
        var spentCursor = RateSchedule.Cursor()
        var nowCursor = RateSchedule.Cursor()

        mutating func due(at now: Int64) -> Int {
            let seconds = Double(now) / 1e9 + shift
            guard seconds > spentUntil else { return 0 }
            let bits =
                nowCursor.capacity(at: seconds, in: schedule)
                - spentCursor.capacity(at: spentUntil, in: schedule)
            return Int(bits * share / 8)
        }

        mutating func spend(_ bytes: Int) -> Double {
            spentUntil = spentCursor.seconds(
                toMove: Double(bytes) * 8 / share, from: spentUntil, in: schedule)
            return (spentUntil - shift) * 1e9
        }

        mutating func idle(at now: Int64) {
            spentUntil = max(spentUntil, Double(now) / 1e9 + shift - credit)
        }
    }

    private static func schedule(_ random: inout SeededGenerator) throws -> RateSchedule {
        let count = Int.random(in: 1...6, using: &random)
        return try RateSchedule(
            periods: (0..<count).map { i in
                .init(
                    durationNanoseconds: Int64.random(
                        in: 1_000_000...2_000_000_000, using: &random),
                    bitsPerSecond: i > 0 && Int.random(in: 0..<4, using: &random) == 0
                        ? 0 : Int64.random(in: 100_000...50_000_000, using: &random))
            }, wraps: Bool.random(using: &random))
    }

    /// At one rate the times are those of the edge's clock before, to the nanosecond.
    @Test(arguments: 0..<40 as Range<UInt64>) func oneRateIsExact(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rate = Int64.random(in: 1000...10_000_000_000, using: &random)
        var clock = FlowClock(
            RateSchedule(constant: Bitrate(bitsPerSecond: Int(rate))), now: 0)
        var reference = ConstantClock(rate: rate)
        var now = Int64.random(in: 0...1_000_000_000_000_000, using: &random)
        for _ in 0..<2000 {
            let bytes = Int.random(in: 0...20_000, using: &random)
            clock.idle(at: now)
            clock.spend(bytes)
            #expect(clock.spentTime == reference.carry(bytes, at: now))
            let gap = Int64(Double(bytes) * 8e9 / Double(rate) * 2)
            now += Int64.random(in: 0...max(1, gap), using: &random)
        }
    }

    /// Over any schedule the bytes are those of the floating-point clock before, to one byte, and
    /// the times to a few nanoseconds.
    @Test(arguments: 0..<40 as Range<UInt64>) func schedulesAgreeWithFloatingPoint(
        seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        let schedule = try Self.schedule(&random)
        let overhead = Bool.random(using: &random) ? 52 : 0
        let shift = Int64.random(in: 0...10_000_000_000, using: &random)
        var clock = FlowClock(
            schedule, overheadBytes: overhead, shift: shift, creditNanoseconds: 5_000_000, now: 0)
        var reference = FloatingClock(
            schedule: schedule, share: 1448 / Double(1448 + overhead), shift: Double(shift) / 1e9,
            credit: 0.005, spentUntil: Double(shift) / 1e9)
        var now: Int64 = 0
        for _ in 0..<400 {
            now += Int64.random(in: 0...40_000_000, using: &random)
            let due = clock.due(at: now)
            #expect(abs(due - reference.due(at: now)) <= 1)
            let bytes = Int.random(in: 0..<4, using: &random) > 0 ? due : due / 2
            clock.spend(bytes)
            let time = reference.spend(bytes)
            // A time at the end of an outage may be rounded to either side of it.
            if time < 1e15,
                schedule.period(at: clock.instant(of: Int64(time))).bitsPerSecond > 0,
                schedule.period(at: clock.instant(of: Int64(time) - 1000)).bitsPerSecond > 0,
                bytes > 0
            {
                #expect(abs(Double(clock.spentTime) - time) <= 2)
            }
            if bytes < due {
                clock.idle(at: now)
                reference.idle(at: now)
            }
        }
    }

    /// Bytes are due at the time that was said, and not a nanosecond before.
    @Test(arguments: 0..<40 as Range<UInt64>) func dueWhenSaid(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var clock = FlowClock(
            try Self.schedule(&random), shift: Int64.random(in: 0...Self.second, using: &random),
            now: 0)
        for _ in 0..<200 {
            let bytes = Int.random(in: 1...30_000, using: &random)
            let time = clock.time(toReceive: bytes)
            guard time < .max else { break }
            #expect(clock.due(at: time) >= bytes)
            if time > 0 { #expect(clock.due(at: time - 1) < bytes) }
            let first = clock.nextByteTime
            #expect(first <= time)
            clock.spend(bytes)
            #expect(clock.spentTime <= time && clock.spentTime >= time - 1)
        }
    }

    @Test func idleTimeIsMadeUpForOnlyByTheCredit() {
        var clock = FlowClock(
            RateSchedule(constant: Bitrate(kilobitsPerSecond: 8000)), overheadBytes: 0,
            creditNanoseconds: 5_000_000, now: 0)
        #expect(clock.due(at: Self.second) == 1_000_000)
        clock.idle(at: Self.second)
        #expect(clock.due(at: Self.second) == 5000)
        clock.idle(at: Self.second, keepsCredit: false)
        #expect(clock.due(at: Self.second) == 0)
        // Time that goes back gives nothing back.
        clock.idle(at: 0)
        #expect(clock.due(at: Self.second) == 0)
    }

    @Test func aLinkThatDiesCarriesNoMore() throws {
        let schedule = try RateSchedule(
            periods: [
                .init(durationNanoseconds: Self.second, bitsPerSecond: 8_000_000),
                .init(durationNanoseconds: Self.second, bitsPerSecond: 0),
            ], wraps: false)
        var clock = FlowClock(schedule, overheadBytes: 0, now: 0)
        #expect(clock.due(at: 9 * Self.second) == 1_000_000)
        #expect(clock.time(toReceive: 1_000_001) == .max)
        clock.spend(1_000_000)
        #expect(clock.spentTime == Self.second)
        #expect(clock.nextByteTime == .max)
        clock.spend(1)
        #expect(clock.spentTime == .max)
        #expect(clock.due(at: .max) == 0)
    }

    /// The largest numbers that a scenario or a clock may hold trap nowhere.
    @Test(arguments: [Int64.min, -1, 0, 1, Int64.max]) func extremes(shift: Int64) throws {
        let schedule = try RateSchedule(
            periods: [.init(durationNanoseconds: 1, bitsPerSecond: .max)], wraps: false)
        for now in [Int64.min, -1, 0, 1, Int64.max] {
            var clock = FlowClock(
                schedule, overheadBytes: .max, shift: shift, creditNanoseconds: .max, now: now)
            #expect(clock.due(at: .max) >= 0)
            #expect(clock.due(at: .min) == 0)
            _ = clock.time(toReceive: 1_000_000_000)
            clock.idle(at: now)
            clock.spend(1_000_000)
            _ = clock.spentTime
            _ = clock.nextByteTime
        }
    }

    @Test func schedulesTravelAsJSON() throws {
        let periods: [RateSchedule.Period] = [
            .init(
                durationNanoseconds: 2, bitsPerSecond: 3_000_000, delayNanoseconds: 7, loss: 0.25),
            .init(durationNanoseconds: 5, bitsPerSecond: 0),
        ]
        for wraps in [false, true] {
            let schedule = try RateSchedule(
                periods: periods, startOffsetNanoseconds: 9, wraps: wraps)
            let data = try JSONEncoder().encode(schedule)
            #expect(try JSONDecoder().decode(RateSchedule.self, from: data) == schedule)
        }
        let empty = Data(#"{"periods":[],"startOffsetNanoseconds":0,"wraps":true}"#.utf8)
        #expect(throws: RateScheduleError.self) {
            try JSONDecoder().decode(RateSchedule.self, from: empty)
        }
    }
}
