import SimulationKernel
import Sockets
import Statistics
import Synchronization

/// A relayed message whose deliveries are measured. Times are nanoseconds of CLOCK_MONOTONIC.
struct DeliverySample: Sendable {
    /// Number of video messages of a stream of which one is measured. It is a prime number, so that it
    /// has no common rhythm with groups of pictures, and key frames are measured as often as they
    /// come.
    static let interval = 17

    /// Time at which the message had been read completely.
    var readNanoseconds: Int64
    /// Time that was spent on work on the message so far.
    var serviceNanoseconds: Int64
}

/// One delivery that is measured: a sampled message on its way to one receiver. It is made when the
/// work on the receiver's bytes begins.
struct DeliveryMark: Sendable {
    private let sample: DeliverySample
    private let recorder: DelayRecorder
    private let preparedSince = Clock.monotonicNanoseconds()
    /// Time at which the send began; nil while the bytes wait.
    private var began: Int64?
    private var prepared: Int64 = 0

    init(_ sample: DeliverySample, _ recorder: DelayRecorder) {
        self.sample = sample
        self.recorder = recorder
    }

    /// Notes that the receiver's bytes are there. The time from here to the send is waiting.
    mutating func finishPreparing() {
        prepared = Clock.monotonicNanoseconds() - preparedSince
    }

    /// Notes that the send begins; later calls are ignored.
    mutating func begin() {
        if began == nil { began = Clock.monotonicNanoseconds() }
    }

    /// Notes that the kernel has taken the last byte.
    func finish() {
        let now = Clock.monotonicNanoseconds()
        let began = began ?? now
        let service = sample.serviceNanoseconds + prepared
        recorder.record(
            readNanoseconds: sample.readNanoseconds,
            queueingNanoseconds: began - sample.readNanoseconds - service,
            serviceNanoseconds: service, writeNanoseconds: now - began)
    }
}

/// The delays of the deliveries that a server has measured, over all of its threads.
final class DelayRecorder: Sendable {
    private struct State {
        /// All deliveries since the start; nil before the first one.
        var all: DelaySplit?
        var window: Window?
        /// Deliveries of messages that were read in the window.
        var windowed: DelaySplit?
    }

    private let state = Mutex(State())

    func record(
        readNanoseconds: Int64, queueingNanoseconds: Int64, serviceNanoseconds: Int64,
        writeNanoseconds: Int64
    ) {
        state.withLock { state in
            func add(to split: inout DelaySplit?) {
                if split == nil { split = DelaySplit() }
                split?.record(
                    queueingNanoseconds: queueingNanoseconds,
                    serviceNanoseconds: serviceNanoseconds, writeNanoseconds: writeNanoseconds)
            }
            add(to: &state.all)
            if state.window?.contains(readNanoseconds) ?? false { add(to: &state.windowed) }
        }
    }

    /// Confines `windowed` to messages that are read in a window of CLOCK_MONOTONIC. A window that
    /// ends earlier than announced keeps what was measured.
    func setWindow(_ window: Window) { state.withLock { $0.window = window } }

    /// Figures of all deliveries since the start; nil if none was measured.
    var figures: DelaySplitFigures? { state.withLock { $0.all?.figures } }

    /// Deliveries of messages that were read in the window; nil if none was measured.
    var windowed: DelaySplit? { state.withLock { $0.windowed } }
}
