import NIOCore
import SimulationKernel
import Statistics

/// The streams of one event loop: sends what is due of them, and counts how late that was.
///
/// It is a value, and a wake-up of the loop is one access to it. As properties of an object its parts
/// would cost a check of exclusive access for each message.
struct PacedStreams {
    let publishers: [StreamPublisher]
    private var pace = Pace(firstDeadlines: [])
    /// Messages of one stream on their way to the socket. All streams of the loop use the same
    /// memory in turn, so it stays in the processor's cache.
    private var batch = ByteBuffer()
    /// Lateness since the last report of the frames that are planned within the window, and of all
    /// others. A frame is recorded in one of them only.
    private var inside = DelayHistogram()
    private var outside = DelayHistogram()
    /// Lateness within the window up to the last report.
    private var windowLateness = DelayHistogram()
    var window: Window? {
        didSet { for publisher in publishers { publisher.window = window } }
    }

    /// Size in bytes above which a batch is sent before another message is added. After a long stop
    /// of the process many messages of a stream are due at once.
    private static let batchByteLimit = 256 << 10

    init(_ publishers: [StreamPublisher]) { self.publishers = publishers }

    mutating func begin(atNanoseconds start: Int64) {
        pace = Pace(firstDeadlines: publishers.map { $0.begin(atNanoseconds: start) })
    }

    /// The earliest time of the next call of `sendDue`; nil once every stream has ended.
    var nextWake: Int64? { pace.nextWake }

    /// Whether the event loop has nothing to do for any stream but to wait for the next frames.
    var areSteady: Bool { publishers.allSatisfy(\.isSteady) }

    /// Sends everything that is due by `wake`, which is the time now.
    /// - Returns: Whether the streams of which something was due are steady after it.
    mutating func sendDue(at wake: Int64) -> Bool {
        pace.wake(at: wake)
        var areSteady = true
        while let frame = pace.due {
            let publisher = publishers[frame.stream]
            let next = sendAll(of: publisher, dueBy: wake)
            pace.sent(next: next)
            areSteady = areSteady && publisher.isSteady
        }
        return areSteady
    }

    /// Sends all messages of a stream that are due by `wake`, with one call of the system for as
    /// many of them as the batch holds.
    /// - Returns: Deadline of the stream's next message; nil if there is none.
    private mutating func sendAll(of publisher: StreamPublisher, dueBy wake: Int64) -> Int64? {
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
    private mutating func record(_ late: Int64, intended: Int64) {
        // A rounded value of 0 would hide that a frame was early.
        let rounded = late < 0 ? late : (late + 500) / 1000 * 1000
        if window?.contains(intended) ?? false {
            inside.record(nanoseconds: rounded)
        } else {
            outside.record(nanoseconds: rounded)
        }
    }

    /// Returns the lateness since the last call, and the lateness within the window so far.
    mutating func takeLateness() -> (recent: DelayHistogram, window: DelayHistogram) {
        windowLateness.add(inside)
        var recent = outside
        recent.add(inside)
        (inside, outside) = (DelayHistogram(), DelayHistogram())
        return (recent, windowLateness)
    }
}
