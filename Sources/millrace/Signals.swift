import Glibc
import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Standard error, opened once, because Glibc's `stderr` is a mutable global.
nonisolated(unsafe) let stderrStream: UnsafeMutablePointer<FILE> = {
    let stream = fdopen(2, "w")!
    setvbuf(stream, nil, _IONBF, 0)
    return stream
}()

/// Signals that begin an orderly stop: SIGINT, SIGTERM, SIGQUIT and SIGHUP (the terminal is gone).
enum Interruption {
    static let stopSignals: [UnixSignal] = [.sigint, .sigterm, .sigquit]

    /// The signals stay trapped until the program ends, so that a second signal does not end a
    /// program that writes its results.
    private static let trapped = Mutex<UnixSignalsSequence?>(nil)

    /// Returns when the first of the signals comes.
    ///
    /// - Returns: false if the task was cancelled before.
    static func wait() async -> Bool {
        let hangup: [UnixSignal] = Hangup.isIgnored ? [] : [.sighup]
        let signals = await UnixSignalsSequence(trapping: stopSignals + hangup)
        trapped.withLock { $0 = signals }
        return await signals.first { _ in true } != nil
    }

    /// Runs a service until it ends or until one of the signals comes; then the service stops in
    /// its own way.
    ///
    /// - Parameters:
    ///   - reload: Function that SIGHUP calls instead of ending the program; nil = SIGHUP ends the
    ///     program.
    ///   - whenTrapped: Function that is called once all signals are trapped. A program that tells
    ///     there that it is ready loses no signal of a caller that has waited for that.
    /// - Throws: Error of the service.
    static func run(
        _ service: some Service, reload: (@Sendable () -> Void)? = nil, logger: Logger,
        whenTrapped: @escaping @Sendable () -> Void = {}
    ) async throws {
        let services: [any Service] = [service, Hangup(reload: reload, whenTrapped: whenTrapped)]
        let configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: stopSignals, logger: logger)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as ServiceGroupError
            where error.errorCode == .serviceFinishedUnexpectedly
        {
            // The service ended by itself while a signal stopped the group, which is no error.
        }
    }
}

/// Service that hears SIGHUP. It ends if the signal is to end the program.
///
/// A SIGHUP that is ignored, as under nohup, stays ignored. If the program has something to read
/// again, SIGHUP does that instead, as long as the terminal exists or if there never was a terminal.
private struct Hangup: Service {
    let reload: (@Sendable () -> Void)?
    /// The group traps its signals before it starts a service, so once SIGHUP is trapped, all are.
    let whenTrapped: @Sendable () -> Void

    func run() async {
        guard reload != nil || !Self.isIgnored else {
            whenTrapped()
            try? await gracefulShutdown()
            return
        }
        let hadTerminal = Self.hasTerminal
        let signals = await UnixSignalsSequence(trapping: .sighup)
        whenTrapped()
        for await _ in signals.cancelOnGracefulShutdown() {
            guard let reload, !hadTerminal || Self.hasTerminal else { return }
            reload()
        }
    }

    static var isIgnored: Bool {
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
}
