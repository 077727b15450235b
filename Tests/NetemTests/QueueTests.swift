import Netem
import SimulationKernel
import Testing

/// Active queue management against what the RFCs say.
@Suite struct QueueTests {
    /// Constant overload: packets of 1250 bytes every 0.9 ms into 10 Mbit/s (one a millisecond).
    private func overload(
        _ queue: QueueDiscipline, seconds: Int, gap: Int64 = 900_000
    ) throws -> LinkRun {
        var run = try LinkRun(
            LinkSpec(rate: .constant(Bitrate(kilobitsPerSecond: 10_000)), queue: queue))
        for now in stride(from: 0, to: Int64(seconds) * 1_000_000_000, by: Int64.Stride(gap)) {
            run.arrive(1250, at: now)
        }
        return run
    }

    /// RFC 8289: the first drop comes one interval after the delay first exceeded the target, the
    /// next ones at drop_next = t + interval / sqrt(count), taken at the dequeue that follows.
    @Test(arguments: [(Int64(5), Int64(100)), (10, 50), (3, 20)])
    func coDelControlLaw(target: Int64, interval: Int64) throws {
        let parameters = CoDelParameters(
            targetNanoseconds: target * millisecond, intervalNanoseconds: interval * millisecond)
        let run = try overload(.coDel(parameters), seconds: 3)
        let drops = run.times(.dropped)
        let departures = run.times(.departed)
        // Sojourn of a packet: until its service starts, 1 ms before it leaves.
        let above = try #require(
            run.events.first {
                $0.outcome == .departed
                    && $0.nanoseconds - millisecond - $0.arrivedNanoseconds >= target * millisecond
            })
        try #require(drops.count > 12)
        var expected = above.nanoseconds - millisecond + interval * millisecond
        #expect(drops.first == expected)
        #expect(departures.contains(expected))
        for count in 1..<12 {
            expected += Int64(
                (Double(interval * millisecond) / Double(count).squareRoot()).rounded())
            // Dequeues are a millisecond apart.
            let lateness = drops[count] - expected
            #expect((0..<millisecond).contains(lateness), "drop \(count + 1): \(lateness) ns late")
        }
    }

    /// Below the target, or with no more than one packet waiting, nothing is dropped.
    @Test func coDelLeavesGoodQueuesAlone() throws {
        let run = try overload(.coDel(), seconds: 5, gap: 1_000_000)
        #expect(run.times(.dropped).isEmpty)
        // A burst that drains within an interval.
        var burst = try LinkRun(
            LinkSpec(rate: .constant(Bitrate(kilobitsPerSecond: 10_000)), queue: .coDel()))
        for round in 0..<20 {
            for _ in 0..<80 { burst.arrive(1250, at: Int64(round) * 1000 * millisecond) }
        }
        burst.drain()
        #expect(burst.times(.dropped).isEmpty)
    }

    /// A source that halves on a drop and grows otherwise: CoDel holds the median delay near its
    /// target, drop-tail fills the buffer.
    @Test func coDelHoldsTheTarget() throws {
        let coDel = try responsive(.coDel())
        let tail = try responsive(.dropTail(.packets(400)))
        #expect((1.0...15.0).contains(coDel.median), "\(coDel.median) ms")
        #expect(tail.median > 100, "\(tail.median) ms")
        #expect(coDel.share > 0.8, "\(coDel.share) of the rate")
    }

    /// PIE settles at its target, 15 ms, under a constant overload of 10 per cent.
    @Test(arguments: [Int64(15), 30]) func pieHoldsTheTarget(target: Int64) throws {
        var parameters = PIEParameters()
        parameters.targetNanoseconds = target * millisecond
        let run = try overload(.pie(parameters), seconds: 120)
        let late = run.events.filter { $0.nanoseconds > 60_000_000_000 }
        let delays = late.filter { $0.outcome == .departed }.map {
            Double($0.nanoseconds - millisecond - $0.arrivedNanoseconds) / 1e6
        }
        let mean = delays.reduce(0, +) / Double(delays.count)
        #expect(abs(mean - Double(target)) < Double(target) * 0.2, "\(mean) ms")
        // 1/0.9 times the rate arrives: a tenth has to go.
        let drops = late.count { $0.outcome == .dropped }
        #expect(abs(Double(drops) / Double(late.count) - 0.1) < 0.01)
    }

    /// MAX_BURST: nothing is dropped early in the first 150 ms, however long the queue.
    @Test func pieAllowsABurst() throws {
        let run = try overload(.pie(), seconds: 2, gap: 200_000)
        let first = try #require(run.times(.dropped).first)
        #expect(first >= 150 * millisecond && first < 1000 * millisecond)
        let light = try overload(.pie(), seconds: 20, gap: 1_100_000)
        #expect(light.times(.dropped).isEmpty)
    }

    @Test func limitsOfManagedQueues() throws {
        for queue in [
            QueueDiscipline.coDel(limit: .packets(10)), .pie(limit: .packets(10)),
        ] {
            var run = try LinkRun(
                LinkSpec(rate: .constant(Bitrate(kilobitsPerSecond: 10_000)), queue: queue))
            for _ in 0..<50 { run.arrive(1250, at: 0) }
            #expect(run.ids(.dropped) == Array(11..<50))
        }
    }

    /// A window-based source over 20 ms each way: additive increase, halved at most once a round
    /// trip. Median queueing delay in ms and share of the rate used.
    private func responsive(_ queue: QueueDiscipline) throws -> (median: Double, share: Double) {
        var link = try LinkModel(
            LinkSpec(
                rate: .constant(Bitrate(kilobitsPerSecond: 10_000)), queue: queue,
                delay: .init(nanoseconds: 40 * millisecond)), seed: 1)
        var window = 10.0
        var inFlight = 0
        var lastCut = Int64.min / 2
        var delays: [Double] = []
        for tick in 0..<600_000 {
            let now = Int64(tick) * 100_000
            while let event = link.next(until: now) {
                inFlight -= 1
                if event.outcome == .departed {
                    window += 1 / window
                    if now > 20_000_000_000 {
                        delays.append(
                            Double(event.nanoseconds - event.arrivedNanoseconds) / 1e6 - 41)
                    }
                } else if now - lastCut > 40 * millisecond {
                    window = max(2, window / 2)
                    lastCut = now
                }
            }
            while inFlight < Int(window) {
                link.arrive(id: 0, bytes: 1250, at: now)
                inFlight += 1
            }
        }
        return (delays.sorted()[delays.count / 2], Double(delays.count) / 40_000)
    }
}
