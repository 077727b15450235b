// How publishers are paced. There is one heap of absolute deadlines and one timer per loop, which
// wakes at most every 500 µs.

import NIOCore
import SimulationKernel
import Statistics

/// Wakes the streams of one event loop at the times that `Pace` determines, with one timer.
final class Pacer: NIOScheduledCallbackHandler {
    private let eventLoop: NIOIsolatedEventLoop
    private var streams: PacedStreams
    private var isStopped = false

    /// The pacer has to be made on the event loop.
    init(_ publishers: [StreamPublisher], eventLoop: any EventLoop) {
        streams = PacedStreams(publishers)
        self.eventLoop = eventLoop.assumeIsolated()
    }

    var publishers: [StreamPublisher] { streams.publishers }

    var window: Window? {
        get { streams.window }
        set { streams.window = newValue }
    }

    func begin(atNanoseconds start: Int64) {
        streams.begin(atNanoseconds: start)
        schedule()
    }

    private func schedule() {
        guard !isStopped, let wake = streams.nextWake else { return }
        // A callback needs no allocation and no promise, which a task does. It fails only if the
        // loop has been shut down.
        _ = try? eventLoop.scheduleCallback(
            at: .uptimeNanoseconds(UInt64(max(0, wake))), handler: self)
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        guard !isStopped else { return }
        streams.sendDue(at: Int64(NIODeadline.now().uptimeNanoseconds))
        schedule()
    }

    /// Returns the lateness since the last call, and the lateness within the window so far.
    func takeLateness() -> (recent: DelayHistogram, window: DelayHistogram) {
        streams.takeLateness()
    }

    func stop() {
        isStopped = true
        for publisher in publishers { publisher.stop() }
    }
}
