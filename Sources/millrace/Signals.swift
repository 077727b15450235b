@preconcurrency import Dispatch
import Glibc
import Synchronization

/// Standard error, opened once: Glibc's `stderr` is a mutable global.
nonisolated(unsafe) let stderrStream: UnsafeMutablePointer<FILE> = {
    let stream = fdopen(2, "w")!
    setvbuf(stream, nil, _IONBF, 0)
    return stream
}()

/// SIGINT and SIGTERM; the first one begins an orderly stop.
enum Interruption {
    /// Returns the first of the two signals that comes.
    static func wait() async -> Int32 {
        await withCheckedContinuation { continuation in
            let first = Mutex<CheckedContinuation<Int32, Never>?>(continuation)
            sources.withLock { sources in
                for number in [SIGINT, SIGTERM] {
                    signal(number, SIG_IGN)
                    let source = DispatchSource.makeSignalSource(signal: number)
                    source.setEventHandler {
                        first.withLock { waiting in
                            waiting?.resume(returning: number)
                            waiting = nil
                        }
                    }
                    source.activate()
                    sources.append(source)
                }
            }
        }
    }

    /// Kept for as long as the process lives.
    private static let sources = Mutex<[any DispatchSourceSignal]>([])
}
