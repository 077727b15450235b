// How publishers are paced. There is one heap of absolute deadlines and one timer per loop, which
// wakes at most every 500 µs.

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
    /// Messages of one stream on their way to the socket. All streams of the loop use the same
    /// memory in turn, so it stays in the processor's cache.
    private var batch = ByteBuffer()
    var window: Window? {
        didSet { for publisher in publishers { publisher.window = window } }
    }

    /// Size in bytes above which a batch is sent before another message is added. After a long stop
    /// of the process many messages of a stream are due at once.
    private static let batchByteLimit = 256 << 10

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
        let wake = Int64(NIODeadline.now().uptimeNanoseconds)
        pace.wake(at: wake)
        while let frame = pace.due {
            let next = sendAll(of: publishers[frame.stream], dueBy: wake)
            pace.sent(next: next)
        }
        schedule()
    }

    /// Sends all messages of a stream that are due by `wake`, with one call of the system for as
    /// many of them as the batch holds.
    /// - Returns: Deadline of the stream's next message; nil if there is none.
    private func sendAll(of publisher: StreamPublisher, dueBy wake: Int64) -> Int64? {
        var next = publisher.nextIntended
        while let intended = next, intended <= wake {
            let late = publisher.addNext(
                now: Int64(NIODeadline.now().uptimeNanoseconds), to: &batch)
            record(late, intended: intended)
            if batch.readableBytes > Self.batchByteLimit { publisher.send(&batch) }
            next = publisher.nextIntended
        }
        publisher.send(&batch)
        return next
    }

    /// Records a lateness in nanoseconds, rounded to whole microseconds: a report lists every
    /// different value, and the encoding of thousands of them each second takes CPU time.
    private func record(_ late: Int64, intended: Int64) {
        // A rounded value of 0 would hide that a frame was early.
        let rounded = late < 0 ? late : (late + 500) / 1000 * 1000
        lateness.record(nanoseconds: rounded)
        if window?.contains(intended) ?? false { windowLateness.record(nanoseconds: rounded) }
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
