import Processes
import SimulationKernel
import Testing

@testable import Publisher

@Suite struct PaceTests {
    /// What a script of wake-ups sends, as (time of the wake-up, stream, deadline).
    private struct Sending: Equatable {
        var wake: Int64
        var stream: Int
        var deadline: Int64
    }

    /// Wakes a pace at the times that it asks for, each late by what `oversleep` says, until all
    /// streams have ended. A stream sends `count` frames, one each `interval`.
    private func run(
        first: [Int64], interval: Int64, count: Int, oversleep: (Int64) -> Int64 = { _ in 0 }
    ) -> [Sending] {
        var pace = Pace(firstDeadlines: first)
        var left = first.map { _ in count }
        var sendings: [Sending] = []
        while let wake = pace.nextWake {
            let now = wake + oversleep(wake)
            pace.wake(at: now)
            while let frame = pace.due {
                sendings.append(
                    Sending(wake: now, stream: frame.stream, deadline: frame.deadline))
                left[frame.stream] -= 1
                pace.sent(next: left[frame.stream] > 0 ? frame.deadline + interval : nil)
            }
        }
        return sendings
    }

    @Test func oneStreamIsSentAtItsDeadlines() {
        let sendings = run(first: [1_000_000], interval: 40_000_000, count: 3)
        #expect(
            sendings == [
                Sending(wake: 1_000_000, stream: 0, deadline: 1_000_000),
                Sending(wake: 41_000_000, stream: 0, deadline: 41_000_000),
                Sending(wake: 81_000_000, stream: 0, deadline: 81_000_000),
            ])
    }

    @Test func framesWithinAQuantumOfTheLastWakeUpGoOutTogether() {
        let quantum = Pace.quantumNanoseconds
        let sendings = run(first: [0, 100_000, 200_000, quantum + 1], interval: 1, count: 1)
        #expect(
            sendings == [
                Sending(wake: 0, stream: 0, deadline: 0),
                Sending(wake: quantum, stream: 1, deadline: 100_000),
                Sending(wake: quantum, stream: 2, deadline: 200_000),
                Sending(wake: 2 * quantum, stream: 3, deadline: quantum + 1),
            ])
    }

    @Test func streamsOfOneDeadlineGoOutInTheirOrder() {
        let sendings = run(first: [5, 5, 5], interval: 10_000_000, count: 2)
        #expect(sendings.map(\.stream) == [0, 1, 2, 0, 1, 2])
    }

    /// A loop that was held up sends everything that it missed at once, and the schedule stays where
    /// it was: nothing is sent later because something else was late.
    @Test func aLateWakeUpDoesNotMoveTheSchedule() {
        let sendings = run(first: [0], interval: 10_000_000, count: 5) { $0 == 0 ? 25_000_000 : 0 }
        #expect(
            sendings.map(\.wake) == [25_000_000, 25_000_000, 25_000_000, 30_000_000, 40_000_000])
        #expect(sendings.map(\.deadline) == [0, 1, 2, 3, 4].map { $0 * 10_000_000 })
    }

    @Test func nothingIsDueBeforeTheFirstWakeUpOrAfterTheLastFrame() {
        var pace = Pace(firstDeadlines: [7])
        #expect(pace.nextWake == 7)
        #expect(pace.due == nil)
        pace.wake(at: 6)
        #expect(pace.due == nil)
        pace.wake(at: 7)
        #expect(pace.due == Pace.Frame(deadline: 7, stream: 0))
        pace.sent(next: nil)
        #expect(pace.due == nil)
        #expect(pace.nextWake == nil)
        #expect(Pace(firstDeadlines: []).nextWake == nil)
    }

    /// Every frame goes out once, never before its deadline, and with a loop that never oversleeps no
    /// later than a quantum after it.
    @Test(arguments: 0..<20 as Range<UInt64>) func noFrameIsEarlyOrLost(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let first = (0..<8).map { _ in Int64.random(in: 0..<33_000_000, using: &random) }
        let interval = Int64.random(in: 100_000..<40_000_000, using: &random)
        let sendings = run(first: first, interval: interval, count: 25)
        #expect(sendings.count == 8 * 25)
        for sending in sendings {
            #expect((0...Pace.quantumNanoseconds).contains(sending.wake - sending.deadline))
        }
        for stream in first.indices {
            let deadlines = sendings.filter { $0.stream == stream }.map(\.deadline)
            #expect(deadlines == (0..<25).map { first[stream] + Int64($0) * interval })
        }
    }

    @Test func phasesOfStreams() {
        #expect((0..<3).map(PublishSpec.phase(ofStream:)) == [0, 7_919_000, 15_838_000])
        for index in 0..<100_000 {
            #expect(
                PublishSpec.phase(ofStream: index) == Int64(index) * 7_919_000 % 33_000_000)
        }
        #expect(Set((0..<33_000).map(PublishSpec.phase(ofStream:))).count == 33_000)
        #expect((0..<33_000_000).contains(PublishSpec.phase(ofStream: .max)))
    }

    @Test func reconnectionsBackOffUpToEightSeconds() {
        let delays = (1...8).map {
            StreamPublisher.reconnection.delayMilliseconds(failures: $0, jitter: 0)
        }
        #expect(delays == [250, 500, 1000, 2000, 4000, 8000, 8000, 8000])
    }
}
