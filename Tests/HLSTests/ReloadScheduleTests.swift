import HLS
import SimulationKernel
import Testing

@Suite struct ReloadScheduleTests {
    /// A schedule whose rendition 0 was loaded from `start` to `end` and brought news.
    private func loaded(
        from start: Double, to end: Double, interval: Double = 4000, isNews: Bool = true
    ) -> ReloadSchedule {
        var schedule = ReloadSchedule(renditionCount: 2, shortestInterval: 500)
        schedule.start(0, at: start)
        schedule.receive(0, isNews: isNews, interval: interval)
        schedule.planNext(after: 0, at: end)
        return schedule
    }

    @Test func theFirstLoadMayStartAtOnce() {
        var schedule = ReloadSchedule(renditionCount: 1, shortestInterval: 500)
        #expect(schedule.next == .infinity)
        #expect(schedule.interval(0) == 0)
        #expect(schedule.mayStart(at: 0, isLoading: false) == true)
    }

    @Test func newsAreFollowedAfterAnInterval() {
        #expect(loaded(from: 100, to: 150).next == 4100)
    }

    @Test func noNewsAreFollowedAfterHalfAnInterval() {
        #expect(loaded(from: 100, to: 150, isNews: false).next == 2100)
    }

    @Test func aLoadThatTookLongerThanTheIntervalIsFollowedAtOnce() {
        #expect(loaded(from: 100, to: 9000).next == 9000)
    }

    @Test func anIntervalOfZeroIsRaisedToTheFloor() {
        #expect(loaded(from: 0, to: 10, interval: 0).next == 500)
        #expect(loaded(from: 0, to: 10, interval: 0, isNews: false).next == 250)
    }

    @Test func aLoadThatComesTooEarlyIsPlanned() {
        var schedule = loaded(from: 0, to: 10)
        #expect(schedule.takeDue(at: 4000) == true)
        #expect(schedule.next == .infinity)
        #expect(schedule.mayStart(at: 3999, isLoading: false) == false)
        #expect(schedule.next == 4000)
        #expect(schedule.takeDue(at: 3999) == false)
        #expect(schedule.mayStart(at: 4000, isLoading: false) == true)
    }

    @Test func oneLoadAtATime() {
        var schedule = loaded(from: 0, to: 10)
        #expect(schedule.mayStart(at: 5000, isLoading: true) == false)
        #expect(schedule.mayStart(at: 5000, isLoading: false) == true)
    }

    @Test func theWantedRenditionComesFirst() {
        var schedule = loaded(from: 0, to: 10)
        schedule.follow(1)
        // Rendition 1 was never loaded, so it need not wait for rendition 0's interval.
        #expect(schedule.mayStart(at: 20, isLoading: false) == true)
        schedule.start(1, at: 20)
        schedule.receive(1, isNews: true, interval: 4000)
        schedule.planNext(after: 1, at: 30)
        #expect(schedule.next == 4020)
        #expect(schedule.earliest(0) == 4000)
    }

    /// The answer of a rendition that the viewer has left does not put off the next load.
    @Test func aLateAnswerOfAnotherRenditionPutsNothingOff() {
        var schedule = loaded(from: 0, to: 10)
        schedule.follow(1)
        schedule.start(0, at: 4000)
        schedule.receive(0, isNews: true, interval: 4000)
        schedule.planNext(after: 0, at: 4100)
        #expect(schedule.next == 4000)
        #expect(schedule.takeDue(at: 4100) == true)
        schedule.planNext(after: 0, at: 4100)
        #expect(schedule.next == 4100)
    }

    @Test func aFailedLoadCountsAsOneWithoutNews() {
        var schedule = loaded(from: 0, to: 10)
        schedule.start(0, at: 4000)
        schedule.receiveNothing(0)
        #expect(!schedule.isNews(0))
        #expect(schedule.earliest(0) == 6000)
        schedule.plan(at: 4500)
        #expect(schedule.next == 4500)
    }

    /// Whatever a server answers, two loads of one rendition are never closer than half an interval,
    /// and one is always planned.
    @Test(arguments: 0..<20 as Range<UInt64>) func loadsKeepTheirDistance(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var schedule = ReloadSchedule(renditionCount: 3, shortestInterval: 500)
        var last = [Double](repeating: -.infinity, count: 3)
        var isNews = [Bool](repeating: true, count: 3)
        var time = 0.0
        for _ in 0..<500 {
            if Int.random(in: 0..<5, using: &random) == 0 {
                schedule.follow(Int.random(in: 0..<3, using: &random))
            }
            // As a driver does it: what is due is planned no more.
            _ = schedule.takeDue(at: time)
            guard schedule.mayStart(at: time, isLoading: false) else {
                #expect(schedule.next > time && schedule.next <= time + 4000)
                time = schedule.next
                #expect(schedule.takeDue(at: time) == true)
                continue
            }
            let rendition = schedule.followed
            // But for the rounding of sums.
            #expect(time - last[rendition] >= (isNews[rendition] ? 4000 : 2000) - 1e-6)
            last[rendition] = time
            schedule.start(rendition, at: time)
            time += Double.random(in: 1..<3000, using: &random)
            isNews[rendition] = Bool.random(using: &random)
            schedule.receive(rendition, isNews: isNews[rendition], interval: 4000)
            schedule.planNext(after: rendition, at: time)
        }
    }
}
