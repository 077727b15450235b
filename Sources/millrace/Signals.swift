@preconcurrency import Dispatch
import Glibc
import Synchronization

/// Standard error, opened once, because Glibc's `stderr` is a mutable global.
nonisolated(unsafe) let stderrStream: UnsafeMutablePointer<FILE> = {
    let stream = fdopen(2, "w")!
    setvbuf(stream, nil, _IONBF, 0)
    return stream
}()

/// Waits for SIGINT, SIGTERM, SIGQUIT and SIGHUP (the terminal is gone). The first of these signals
/// begins an orderly stop. A SIGHUP that is ignored, as under nohup, stays ignored. If the program
/// has something to read again, SIGHUP does that instead, as long as the terminal exists or if
/// there never was a terminal.
enum Interruption {
    private struct State {
        var sources: [any DispatchSourceSignal] = []
        var waiting: CheckedContinuation<Int32?, Never>?
        var released = false
    }

    private static let state = Mutex(State())

    private static var isHangupIgnored: Bool {
        var action = sigaction()
        sigaction(SIGHUP, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// Returns the first of the signals that comes; nil after `release`.
    ///
    /// - Parameter reload: Function that SIGHUP calls instead of ending the program; nil = SIGHUP
    ///   ends the program.
    static func wait(reload: (@Sendable () -> Void)? = nil) async -> Int32? {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                guard !state.released else { return continuation.resume(returning: nil) }
                state.waiting = continuation
                let hadTerminal = hasTerminal
                let hears = reload != nil || !isHangupIgnored
                for number in [SIGINT, SIGTERM, SIGQUIT] + (hears ? [SIGHUP] : []) {
                    signal(number, SIG_IGN)
                    let source = DispatchSource.makeSignalSource(signal: number)
                    source.setEventHandler {
                        if number == SIGHUP, let reload, !hadTerminal || hasTerminal {
                            reload()
                        } else {
                            resume(number)
                        }
                    }
                    source.activate()
                    state.sources.append(source)
                }
            }
        }
    }

    /// Returns when the first of the signals comes, or when the task is cancelled.
    static func waitUntilCancelled() async {
        await withTaskCancellationHandler {
            _ = await wait()
        } onCancel: {
            release()
        }
    }

    /// Ends `wait` once the work is done without a signal.
    static func release() { resume(nil) }

    private static func resume(_ number: Int32?) {
        state.withLock { state in
            state.released = true
            state.waiting?.resume(returning: number)
            state.waiting = nil
        }
    }
}
