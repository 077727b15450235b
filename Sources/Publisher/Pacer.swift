import HeapModule
import NIOCore
import Statistics

/// Sends every stream's frames of one event loop at their intended times: one heap of absolute
/// deadlines, one timer.
///
/// The timer wakes at the earliest deadline, but no sooner than a quantum after the last wake-up,
/// and everything due by then goes out: wake-ups cost more than frames.
final class Pacer {
    /// 250 µs: a quarter of the CPU of exact wake-ups at 100 streams, for 0.1 ms of lateness.
    static let quantumNanoseconds: Int64 = 250_000

    private struct Entry: Comparable {
        var deadline: Int64
        var index: Int

        static func < (a: Self, b: Self) -> Bool {
            (a.deadline, a.index) < (b.deadline, b.index)
        }
    }

    private let eventLoop: any EventLoop
    let publishers: [StreamPublisher]
    private var heap = Heap<Entry>()
    private var lastWake: Int64 = 0
    private var isStopped = false
    private(set) var lateness = DelayHistogram()
    private(set) var windowLateness = DelayHistogram()
    var window: ClosedRange<Int64>? {
        didSet { for publisher in publishers { publisher.window = window } }
    }

    init(_ publishers: [StreamPublisher], eventLoop: any EventLoop) {
        self.publishers = publishers
        self.eventLoop = eventLoop
    }

    func begin(atNanoseconds start: Int64) {
        for (index, publisher) in publishers.enumerated() {
            heap.insert(Entry(deadline: publisher.begin(atNanoseconds: start), index: index))
        }
        schedule()
    }

    private func schedule() {
        guard !isStopped, let first = heap.min else { return }
        let wake = max(first.deadline, lastWake + Self.quantumNanoseconds)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(max(0, wake)))) {
            bound.value.fire()
        }
    }

    private func fire() {
        guard !isStopped else { return }
        lastWake = Int64(NIODeadline.now().uptimeNanoseconds)
        var touched: Set<Int> = []
        while let first = heap.min, first.deadline <= lastWake {
            let now = Int64(NIODeadline.now().uptimeNanoseconds)
            let late = publishers[first.index].sendNext(now: now)
            lateness.record(nanoseconds: late)
            if window?.contains(first.deadline) ?? false {
                windowLateness.record(nanoseconds: late)
            }
            touched.insert(first.index)
            if let next = publishers[first.index].nextIntended {
                heap.replaceMin(with: Entry(deadline: next, index: first.index))
            } else {
                heap.removeMin()
            }
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
