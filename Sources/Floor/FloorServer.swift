// The floor: the least work that can feed RTMP players and take what RTMP publishers send. One
// thread has one epoll set. Publishers' bytes are read into one buffer and dropped. Every flush is
// encoded once, and each player gets it by one send; nothing else happens for a frame. What a
// server uses beyond that is its own doing, and what the generators use with the floor they use
// with every server.
//
// The floor sender is no relay: it makes the frames of its streams itself. They carry the times and
// the numbers that the publishers' frames have, because both follow from the shared start time, so
// probes and the record of a trial treat the floor sender as any other server.

import Sockets
import Synchronization

/// A floor sender on a thread of its own.
public final class FloorServer: Sendable {
    /// The TCP port on which it listens.
    public let port: Int
    private let control: FloorControl

    /// Listens; the media begins with `begin(atNanoseconds:)`.
    ///
    /// - Throws: `FloorError` if the address or the congestion control cannot be used,
    ///   `SystemThread.Refusal` if the system gives no thread, `MediaError` if a source is
    ///   impossible.
    public init(_ configuration: FloorConfiguration) throws {
        let control = FloorControl()
        let loop = try FloorLoop(configuration)
        self.control = control
        port = loop.port
        try SystemThread.start(name: "floor") {
            loop.run(control)
            control.finish(loop.status)
        }
    }

    deinit { control.stop() }

    /// Starts the media of all streams; a second call changes nothing.
    ///
    /// - Parameter start: the shared start time on CLOCK_MONOTONIC. Players that join before it get
    ///   the headers at once and the first frame at that time.
    public func begin(atNanoseconds start: Int64) { control.begin(atNanoseconds: start) }

    /// The counts as they were at most 100 ms ago.
    public var status: FloorStatus { control.status }

    /// Closes every connection, and returns the last counts once the thread has ended.
    public func stop() async -> FloorStatus {
        control.stop()
        while !control.isFinished { try? await Task.sleep(for: .milliseconds(5)) }
        return control.status
    }
}

/// What the thread of a floor sender and its owner tell each other.
final class FloorControl: Sendable {
    private struct State {
        var startNanoseconds: Int64?
        var stop = false
        var isFinished = false
        var status = FloorStatus()
    }

    private let state = Mutex(State())

    func begin(atNanoseconds start: Int64) {
        state.withLock { $0.startNanoseconds = $0.startNanoseconds ?? start }
    }

    func stop() { state.withLock { $0.stop = true } }

    var status: FloorStatus { state.withLock { $0.status } }
    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// The shared start time, if it is known, and whether the thread is to end.
    var orders: (start: Int64?, stop: Bool) {
        state.withLock { ($0.startNanoseconds, $0.stop) }
    }

    func publish(_ status: FloorStatus) { state.withLock { $0.status = status } }

    func finish(_ status: FloorStatus) {
        state.withLock {
            $0.status = status
            $0.isFinished = true
        }
    }
}
