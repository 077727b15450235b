import CLinux
import Glibc
import Synchronization

/// The sender threads of a server, with one thread for each receiver or for each stream.
final class SenderPool: Sendable {
    /// Number of sender threads that a server starts at most.
    static let threadLimit = 4096

    private struct Place {
        var thread: SenderThread
        /// Number of connections that the thread sends to.
        var lines: Int
    }

    private struct State {
        /// Threads by stream; empty if each receiver has its own.
        var streams: [String: Place] = [:]
        /// Number of threads that have not ended.
        var living = 0
        /// Number of threads that were started.
        var started = 0
    }

    private let model: SenderModel
    private let limit: Int
    private let onRefusal: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: Number of threads that may exist at once.
    ///   - onRefusal: Function that is called when no thread is left for a receiver.
    init(
        _ model: SenderModel, limit: Int = SenderPool.threadLimit,
        onRefusal: @escaping @Sendable () -> Void = {}
    ) {
        self.model = model
        self.limit = limit
        self.onRefusal = onRefusal
    }

    /// Number of threads that have not ended.
    var threads: Int { state.withLock { $0.living } }

    /// Makes the way of a receiver through a thread.
    ///
    /// - Parameters:
    ///   - descriptor: Descriptor of the receiver's socket, which is duplicated.
    ///   - stream: Name of the stream that the receiver gets.
    ///   - onFailure: Function that the thread calls when a send fails.
    /// - Returns: nil if no thread or no descriptor is left, which is counted.
    func line(
        to descriptor: Int32, of stream: String, onFailure: @escaping @Sendable () -> Void
    ) -> SenderLine? {
        let own = millrace_duplicate(descriptor)
        guard own >= 0, let thread = thread(for: stream) else {
            if own >= 0 { close(own) }
            onRefusal()
            return nil
        }
        return SenderLine(
            descriptor: own, thread: thread, onFailure: onFailure,
            onRelease: { [self] in leave(thread, stream) })
    }

    /// Returns a thread with a place for one more receiver; nil if there is none left.
    private func thread(for stream: String) -> SenderThread? {
        state.withLock { state in
            if model == .perStream, let place = state.streams[stream] {
                state.streams[stream]?.lines = place.lines + 1
                return place.thread
            }
            guard state.living < limit else { return nil }
            state.started += 1
            state.living += 1
            let thread = SenderThread(name: "sender-\(state.started % 10_000_000)") { [self] in
                self.state.withLock { $0.living -= 1 }
            }
            guard thread.start() else {
                state.living -= 1
                return nil
            }
            if model == .perStream { state.streams[stream] = Place(thread: thread, lines: 1) }
            return thread
        }
    }

    /// Notes that a receiver is gone; a thread without receivers ends.
    private func leave(_ thread: SenderThread, _ stream: String) {
        let isLast: Bool = state.withLock { state in
            guard model == .perStream, let place = state.streams[stream], place.thread === thread
            else { return true }
            state.streams[stream] =
                place.lines > 1 ? Place(thread: thread, lines: place.lines - 1) : nil
            return place.lines <= 1
        }
        if isLast { thread.end() }
    }

    /// Waits until all threads have ended, at most for a time. The caller has closed all
    /// connections.
    ///
    /// - Returns: Whether all threads have ended.
    func waitUntilEnded(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while threads > 0 {
            guard ContinuousClock.now < deadline else { return false }
            // The task may be cancelled, and a sleep of its own would then end at once.
            _ = await Task { try? await Task.sleep(for: .milliseconds(5)) }.value
        }
        return true
    }
}
