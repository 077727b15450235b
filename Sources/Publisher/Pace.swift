import HeapModule

/// Decides when frames are sent, with one heap of the streams' absolute deadlines.
///
/// The value never reads a clock. All times are nanoseconds of one clock, which the caller reads.
/// The caller wakes at `nextWake`, calls `wake(at:)`, and sends each frame that is then `due`. A
/// wake-up comes at the earliest deadline, but no sooner than a quantum after the last wake-up. All
/// frames that are due by then are sent together, because wake-ups cost more than frames.
struct Pace: Sendable {
    /// Shortest time between two wake-ups, 500 µs.
    ///
    /// A wake-up costs more than the preparation of a frame. With 100 streams of 68 messages a
    /// second the event loop's timer alone took 2.4 % of a core, against 3.8 % with 250 µs and 16 %
    /// without a quantum (`Pacer` avoids most of that now), and the 99th percentile of the lateness
    /// is 0.6 ms, against 0.3 ms with 250 µs. Each frame's stamp carries its lateness. With few
    /// streams wake-ups are further apart than the quantum, and no frame waits for one.
    static let quantumNanoseconds: Int64 = 500_000

    /// Next frame of one stream.
    struct Frame: Comparable, Sendable {
        /// Time at which the frame should be sent.
        var deadline: Int64
        /// Index of the stream, which also orders frames with the same deadline.
        var stream: Int

        static func < (a: Self, b: Self) -> Bool {
            (a.deadline, a.stream) < (b.deadline, b.stream)
        }
    }

    private var frames: Heap<Frame>
    /// Time of the last wake-up; nil before the first one.
    private var lastWake: Int64?

    /// - Parameter firstDeadlines: Deadline of each stream's first frame.
    init(firstDeadlines: [Int64]) {
        frames = Heap(
            firstDeadlines.enumerated().map { Frame(deadline: $0.element, stream: $0.offset) })
    }

    /// The earliest time of the next wake-up; nil once every stream has ended.
    var nextWake: Int64? {
        guard let first = frames.min else { return nil }
        guard let lastWake else { return first.deadline }
        return max(first.deadline, lastWake + Self.quantumNanoseconds)
    }

    /// Notes that the caller has woken at `now`.
    mutating func wake(at now: Int64) { lastWake = now }

    /// Frame to send next; nil if no frame that was due at the last wake-up is left.
    var due: Frame? {
        guard let lastWake, let first = frames.min, first.deadline <= lastWake else { return nil }
        return first
    }

    /// Notes that the frame that was `due` has been sent or skipped.
    /// - Parameter next: Deadline of the same stream's next frame; nil if there is none.
    mutating func sent(next: Int64?) {
        guard let frame = due else { return }
        if let next {
            frames.replaceMin(with: Frame(deadline: next, stream: frame.stream))
        } else {
            frames.removeMin()
        }
    }
}
