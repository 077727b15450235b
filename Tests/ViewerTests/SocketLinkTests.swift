import Netem
import SimulationKernel
import Testing

@testable import Viewer

/// The virtual clock of a link on a socket, in times of its own.
@Suite struct SocketLinkTests {
    private static let second: Int64 = 1_000_000_000

    private static func link(
        _ rate: RateSchedule, delay: DelayModel = .init(), loss: LossModel = .none,
        header: Int = 0, offset: Int64 = 0, credit: Int64 = 5_000_000
    ) throws -> SocketLink {
        let shared = SocketLink.Shared(
            ViewerLink(rate: rate, delay: delay, loss: loss, headerBytes: header))
        return try SocketLink(
            shared, LinkAssignment(link: 0, offsetNanoseconds: offset, seed: 3),
            origin: 0, now: 0, credit: credit)
    }

    private static func constant(_ kilobits: Int) -> RateSchedule {
        RateSchedule(constant: Bitrate(kilobitsPerSecond: kilobits))
    }

    /// However irregular the ticks, a reader that never lacks data gets the rate to the byte.
    @Test(arguments: [0, 52]) func rateHoldsOverIrregularTicks(header: Int) throws {
        var link = try Self.link(Self.constant(2000), header: header)
        var random = SeededGenerator(seed: 1)
        var now: Int64 = 0
        var total = 0
        while now < 20 * Self.second {
            now += Int64(random.nextUnit() * 40_000_000)
            let due = link.due(at: now)
            link.didRead(due, of: due, at: now)
            total += due
        }
        let expected =
            Int128(250_000) * 1448 * Int128(now) / (Int128(1448 + header) * 1_000_000_000)
        #expect(total == Int(expected))
    }

    /// Small reads, as when the socket holds little, lose nothing either while data is there.
    @Test func partialReads() throws {
        var link = try Self.link(Self.constant(8000))
        var total = 0
        for tick in 1...4000 {
            let now = Int64(tick) * 1_000_000
            // 1000 bytes come due each millisecond; reads of 700 and 1300 in turn.
            let due = link.due(at: now)
            let count = min(due, tick % 2 == 1 ? 700 : 1300)
            link.didRead(count, of: count, at: now)
            total += count
        }
        #expect(abs(total - 4_000_000) <= 1300)
    }

    /// A link that had nothing to carry for a second makes up for a tick of it, no more.
    @Test func idleCreditIsATick() throws {
        var link = try Self.link(Self.constant(8000), credit: 5_000_000)
        let due = link.due(at: Self.second)
        #expect(due == 1_000_000)
        link.didRead(0, of: due, at: Self.second)
        #expect(link.due(at: Self.second) == 5000)
        #expect(link.due(at: Self.second + 1_000_000) == 6000)
    }

    /// A trace of 1 s at 8 Mbit/s and 1 s of nothing, entered in the middle of its first second.
    @Test func traceWithOffset() throws {
        let trace = try RateSchedule(periods: [
            .init(durationNanoseconds: Self.second, bitsPerSecond: 8_000_000),
            .init(durationNanoseconds: Self.second, bitsPerSecond: 0),
        ])
        let link = try Self.link(trace, offset: Self.second / 2)
        #expect(link.due(at: Self.second / 2) == 500_000)
        #expect(link.due(at: Self.second * 3 / 2) == 500_000)
        #expect(link.due(at: Self.second * 2) == 1_000_000)
        // A minute: 30 of 60 seconds, in 30 whole cycles.
        #expect(link.due(at: Self.second * 60) == 30_000_000)
    }

    /// Bytes are carried by the link's own clock, whenever they are read: here 1000 in a millisecond,
    /// the first of them in a microsecond. An outage comes before the first byte, not after it.
    @Test func carriedByItsOwnClock() throws {
        let trace = try RateSchedule(periods: [
            .init(durationNanoseconds: Self.second, bitsPerSecond: 8_000_000),
            .init(durationNanoseconds: Self.second, bitsPerSecond: 0),
        ])
        var link = try Self.link(trace)
        func isEqual(
            _ spent: (first: Int64, last: Int64), _ first: Int64, _ last: Int64
        ) -> Bool {
            spent == (first, last)
        }
        #expect(isEqual(link.spend(1000, at: Self.second * 3), 1000, 1_000_000))
        #expect(isEqual(link.spend(999_000, at: Self.second * 3), 1_001_000, Self.second))
        #expect(
            isEqual(
                link.spend(1000, at: Self.second * 3), 2 * Self.second + 1000,
                2 * Self.second + 1_000_000))
        #expect(
            isEqual(
                link.spend(0, at: Self.second * 3), 2 * Self.second + 1_000_000,
                2 * Self.second + 1_000_000))
        // Idle until 2.5 s, it makes up for the credit of 5 ms.
        link.idle(at: Self.second * 5 / 2)
        #expect(
            isEqual(link.spend(1000, at: Self.second * 3), 2_495_001_000, 2_496_000_000))
    }

    /// A link that dies for good: what it cannot carry any more is due by rounding at most, and its
    /// time stays finite.
    @Test func dyingLink() throws {
        let trace = try RateSchedule(
            periods: [
                .init(durationNanoseconds: Self.second, bitsPerSecond: 8_000_000),
                .init(durationNanoseconds: Self.second, bitsPerSecond: 0),
            ], wraps: false)
        var link = try Self.link(trace, header: 52)
        let due = link.due(at: Self.second * 2)
        let spent = link.spend(due + 1, at: Self.second * 2)
        #expect(spent.last == Self.second * 2)
        #expect(link.due(at: Self.second * 9) == 0)
        #expect(link.time(toReceive: 1) == .max)
    }

    /// Between two arrivals bytes come evenly; none before the first, and what was asked about is
    /// forgotten.
    @Test func arrivalsAreEven() {
        var line = ArrivalLine()
        #expect(line.bytes(at: 5) == 0)
        line.note(0, at: 10_000_000)
        line.note(10_000, at: 20_000_000)
        #expect(line.bytes(at: 9_000_000) == 0)
        #expect(line.bytes(at: 12_000_000) == 2000)
        line.note(40_000, at: 30_000_000)
        #expect(line.bytes(at: 12_000_001) == 2000)
        #expect(line.bytes(at: 25_000_000) == 25_000)
        #expect(line.bytes(at: 40_000_000) == 40_000)
        // Closer together than a millisecond are one.
        line.note(40_100, at: 50_000_000)
        line.note(40_150, at: 50_100_000)
        line.note(40_300, at: 50_200_000)
        #expect(line.bytes(at: 50_100_000) == 40_200)
        #expect(line.bytes(at: 50_200_000) == 40_300)
    }

    /// What no later query needs is forgotten, and the answers stay the same.
    @Test func arrivalsAreForgotten() {
        var line = ArrivalLine()
        line.forget(before: 5)
        line.note(0, at: 10_000_000)
        line.note(10_000, at: 20_000_000)
        line.forget(before: 15_000_000)
        let first = line.bytes(at: 15_000_000)
        line.note(40_000, at: 30_000_000)
        line.forget(before: 25_000_000)
        let second = line.bytes(at: 25_000_000)
        line.forget(before: 30_000_000)
        let last = line.bytes(at: 30_000_000)
        #expect([first, second, last] == [5000, 25_000, 40_000])
    }

    @Test func delayKeepsOrder() throws {
        let delay = DelayModel(nanoseconds: 20_000_000, jitterNanoseconds: 15_000_000)
        var link = try Self.link(Self.constant(8000), delay: delay)
        var last: Int64 = 0
        var sum: Int64 = 0
        for tick in 1...2000 {
            let now = Int64(tick) * 5_000_000
            let time = link.release(5000, at: now)
            #expect(time >= last && time >= now + 5_000_000)
            last = time
            sum += time - now
        }
        // Keeping the order only adds to the mean of 20 ms.
        #expect(sum / 2000 >= 19_500_000 && sum / 2000 <= 32_000_000)
        #expect(link.delay(at: 0) == 20_000_000)
        #expect(link.stalls == 0)
    }

    /// A lost packet holds what follows for a round trip: 40 ms here, and is counted.
    @Test func lossIsAModelledStall() throws {
        var link = try Self.link(
            Self.constant(8000), delay: DelayModel(nanoseconds: 20_000_000),
            loss: .replay([false, false, true] + Array(repeating: false, count: 97)))
        #expect(link.release(1448, at: 0) == 20_000_000)
        #expect(link.release(1448, at: 1_000_000) == 21_000_000)
        #expect(link.release(1448, at: 2_000_000) == 62_000_000)
        #expect(link.release(1448, at: 3_000_000) == 62_000_000)
        #expect(link.release(1448, at: 50_000_000) == 70_000_000)
        #expect(link.stalls == 1 && link.stalledNanoseconds == 40_000_000)
    }

    /// Reads a response of 375,000 bytes from a socket that is filled with `buffer` bytes whenever it
    /// is empty, as the kernel does; `last` is the time at which the last byte was carried.
    private static func read(
        isLazy: Bool, buffer: Int = 92_000
    ) throws -> (reads: Int, largest: Int, last: Int64, end: Int64) {
        var link = try Self.link(Self.constant(2500), header: 52)
        var (reads, largest, last, now) = (0, 0, Int64(0), Int64(0))
        var (rest, waiting) = (375_000, buffer)
        for _ in 0..<1000 where rest > 0 {
            now = link.nextRead(of: rest, at: now, isLazy: isLazy, waiting: waiting)
            let due = link.due(at: now)
            let count = min(due, rest, isLazy ? waiting : rest)
            // A rare read in the middle of a response never asks for more than there is.
            if rest > 16_384 { #expect(count == min(due, rest), "\(due) of \(waiting)") }
            last = link.spend(count, at: now).last
            rest -= count
            waiting -= count
            if waiting <= 0 { waiting = buffer }
            reads += 1
            largest = max(largest, count)
        }
        #expect(rest == 0)
        return (reads, largest, last, now)
    }

    /// The rarer reads change no time at which bytes have arrived.
    @Test func rareReadsChangeNoArrival() throws {
        let (prompt, rare) = (try Self.read(isLazy: false), try Self.read(isLazy: true))
        #expect(prompt.reads == 25 && prompt.largest <= 16_384)
        #expect(rare.reads <= 12 && rare.largest <= 65_536)
        #expect(rare.last == prompt.last && rare.end == prompt.end)
        let small = try Self.read(isLazy: true, buffer: 20_000)
        #expect(small.last == prompt.last && small.largest <= 20_000)
        // The end of the response is read at once.
        #expect((0...1).contains(rare.end - rare.last))
    }

    /// Where reads act on arrivals, or the receive buffer must be refilled often, reads stay frequent.
    @Test func promptReads() throws {
        for link in [
            try Self.link(Self.constant(50_000)),
            try Self.link(Self.constant(2500), delay: DelayModel(nanoseconds: 20_000_000)),
            try Self.link(Self.constant(2500), loss: .replay([false])),
        ] {
            let prompt = link.nextRead(of: 375_000, at: 0, isLazy: false, waiting: 92_000)
            #expect(prompt <= 50_000_000)
            #expect(link.nextRead(of: 375_000, at: 0, isLazy: true, waiting: 92_000) == prompt)
        }
        let slow = try Self.link(Self.constant(200))
        let next = slow.nextRead(of: 375_000, at: 0, isLazy: true, waiting: 92_000)
        #expect(next > 200_000_000 && next <= 204_000_000)
    }

    @Test func lineIsFirstInFirstOut() {
        var line = DelayedBytes()
        for index in 0..<3000 { line.append([UInt8(index & 255), 0], at: Int64(index)) }
        #expect(line.count == 6000 && line.nextTime == 0)
        var next = 0
        while let bytes = line.pop(at: 2500) {
            #expect(bytes[0] == UInt8(next & 255))
            next += 1
        }
        #expect(next == 2501 && line.count == 998)
        #expect(line.pop(at: 2500) == nil)
    }

    /// Lazy viewers read about 16 KiB at a time, but never more rarely than every 50 ms.
    @Test func stride() {
        #expect(LoadLoop.stride(mode: .prompt, bitsPerSecond: 2e6) == 1)
        #expect(LoadLoop.stride(mode: .lazy, bitsPerSecond: 2e6) == 10)
        #expect(LoadLoop.stride(mode: .lazy, bitsPerSecond: 8e6) == 3)
        #expect(LoadLoop.stride(mode: .lazy, bitsPerSecond: 1e9) == 1)
    }
}
