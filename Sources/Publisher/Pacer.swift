// How publishers are paced. There is one heap of absolute deadlines and one timer per loop, which
// wakes at most every 250 µs.

import NIOCore
import SimulationKernel
import Statistics

/// Sends the frames of all streams of one event loop at the times that `Pace` determines, with one
/// timer.
final class Pacer {
    private let eventLoop: any EventLoop
    let publishers: [StreamPublisher]
    private var pace = Pace(firstDeadlines: [])
    private var isStopped = false
    private(set) var lateness = DelayHistogram()
    private(set) var windowLateness = DelayHistogram()
    var window: Window? {
        didSet { for publisher in publishers { publisher.window = window } }
    }

    init(_ publishers: [StreamPublisher], eventLoop: any EventLoop) {
        self.publishers = publishers
        self.eventLoop = eventLoop
    }

    func begin(atNanoseconds start: Int64) {
        pace = Pace(firstDeadlines: publishers.map { $0.begin(atNanoseconds: start) })
        schedule()
    }

    private func schedule() {
        guard !isStopped, let wake = pace.nextWake else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(max(0, wake)))) {
            bound.value.fire()
        }
    }

    private func fire() {
        guard !isStopped else { return }
        pace.wake(at: Int64(NIODeadline.now().uptimeNanoseconds))
        var touched: Set<Int> = []
        while let frame = pace.due {
            let publisher = publishers[frame.stream]
            let late = publisher.sendNext(now: Int64(NIODeadline.now().uptimeNanoseconds))
            lateness.record(nanoseconds: late)
            if window?.contains(frame.deadline) ?? false {
                windowLateness.record(nanoseconds: late)
            }
            touched.insert(frame.stream)
            pace.sent(next: publisher.nextIntended)
        }
        for index in touched { publishers[index].flush() }
        schedule()
    }

    func takeLateness() -> DelayHistogram {
        defer { lateness = DelayHistogram() }
        return lateness
    }

    func stop() {
        isStopped = true
        for publisher in publishers { publisher.stop() }
    }
}
