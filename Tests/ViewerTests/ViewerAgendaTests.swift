import SimulationKernel
import Testing

@testable import Viewer

@Suite struct ViewerAgendaTests {
    private static let tick = ViewerAgenda.tickNanoseconds

    /// Everything that is due at `now`.
    private func events(_ agenda: inout ViewerAgenda, at now: Int64) -> [ViewerAgenda.Event] {
        var events: [ViewerAgenda.Event] = []
        while let event = agenda.next(at: now) { events.append(event) }
        return events
    }

    @Test func viewersJoinAndLeaveInTheOrderOfTheirTimes() {
        var agenda = ViewerAgenda(
            from: 1000, plans: [(30, 90), (10, nil), (20, 25), (10, 80)], now: 0)
        #expect(agenda.deadline == 1000)
        #expect(events(&agenda, at: 1000) == [.tick(1000)])
        #expect(agenda.deadline == 1010)
        #expect(events(&agenda, at: 1009) == [])
        #expect(events(&agenda, at: 1010) == [.join(1), .join(3)])
        #expect(events(&agenda, at: 1030) == [.join(2), .join(0), .leave(2)])
        #expect(agenda.deadline == 1080)
        #expect(events(&agenda, at: 2000) == [.leave(3), .leave(0)])
        #expect(agenda.deadline == 1000 + Self.tick)
    }

    @Test func missedTicksAreLeftOut() {
        var agenda = ViewerAgenda(from: 0, plans: [], now: 7)
        #expect(events(&agenda, at: 6) == [])
        #expect(events(&agenda, at: 7) == [.tick(7)])
        #expect(events(&agenda, at: 7) == [])
        #expect(agenda.nextTick == 7 + Self.tick)
        #expect(events(&agenda, at: 7 + 3 * Self.tick + 1) == [.tick(7 + Self.tick)])
        #expect(agenda.nextTick == 7 + 4 * Self.tick)
    }

    @Test func theWindowBeginsAndEndsOnce() {
        var agenda = ViewerAgenda(from: 0, plans: [(0, 150)], now: 0)
        #expect(events(&agenda, at: 0) == [.join(0), .tick(0)])
        agenda.window = Window(startNanoseconds: 100, endNanoseconds: 200)
        #expect(agenda.deadline == 100)
        #expect(events(&agenda, at: 99) == [])
        #expect(events(&agenda, at: 100) == [.windowStart])
        #expect(agenda.deadline == 150)
        #expect(events(&agenda, at: 199) == [.leave(0)])
        #expect(agenda.deadline == 200)
        #expect(events(&agenda, at: 200) == [.windowEnd])
        #expect(events(&agenda, at: 1000) == [])
        #expect(agenda.deadline == Self.tick)
    }

    /// A window that is told late is crossed at once, both ends in their order.
    @Test func aWindowInThePast() {
        var agenda = ViewerAgenda(from: 0, plans: [], now: 0)
        _ = events(&agenda, at: 500)
        agenda.window = Window(startNanoseconds: 100, endNanoseconds: 200)
        #expect(events(&agenda, at: 500) == [.windowStart, .windowEnd])
    }

    @Test func timesBeyondTheClockTrapNowhere() {
        var agenda = ViewerAgenda(from: 1, plans: [(.max, .max), (0, nil)], now: 1)
        #expect(events(&agenda, at: 1) == [.join(1), .tick(1)])
        #expect(agenda.deadline == 1 + Self.tick)
    }

    /// Whatever the times at which a loop wakes, each viewer joins once and leaves once, no earlier
    /// than planned, and the deadline is never in the past.
    @Test(arguments: 0..<20 as Range<UInt64>) func everyViewerJoinsAndLeavesOnce(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let plans = (0..<30).map { _ -> (join: Int64, leave: Int64?) in
            let join = Int64.random(in: 0..<1_000_000_000, using: &random)
            let stay = Int64.random(in: 0..<1_000_000_000, using: &random)
            return (join, Bool.random(using: &random) ? join + stay : nil)
        }
        var agenda = ViewerAgenda(from: 5, plans: plans, now: 0)
        var joined: [Int] = []
        var left: [Int] = []
        var now: Int64 = 0
        while now < 3_000_000_000 {
            for event in events(&agenda, at: now) {
                switch event {
                case .join(let index):
                    joined.append(index)
                    #expect(now >= plans[index].join + 5)
                case .leave(let index):
                    left.append(index)
                    #expect(now >= (plans[index].leave ?? .max) + 5)
                default: break
                }
            }
            #expect(agenda.deadline > now)
            now = agenda.deadline + Int64.random(in: 0..<20_000_000, using: &random)
        }
        #expect(joined.sorted() == Array(0..<30))
        #expect(left.sorted() == plans.indices.filter { plans[$0].leave != nil })
    }
}
