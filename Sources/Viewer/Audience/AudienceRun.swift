import SimulationKernel
import Sockets

/// A run of viewers, from its start until its window is over or the user stops it.
enum AudienceRun {
    /// Time from the decision to start until the run starts.
    private static let leadNanoseconds: Int64 = 100_000_000
    /// Time from the end of the window until the viewers stop: their loops close the window first.
    private static let lagNanoseconds: Int64 = 500_000_000

    /// Starts the viewers and waits until the window is over or `stop` returns.
    ///
    /// - Parameters:
    ///   - begin: starts the viewers at a time of CLOCK_MONOTONIC, with the window that counts.
    ///   - stop: returns once the user has enough, or when its task is cancelled.
    ///   - shorten: takes the window that really counts. It is called only if `stop` returned
    ///     before the end.
    /// - Returns: the window that counts.
    static func play(
        _ plan: AudiencePlan, begin: (Int64, Window) -> Void,
        until stop: @escaping @Sendable () async -> Void, shorten: (Window) -> Void
    ) async -> Window {
        let start = Clock.monotonicNanoseconds() + leadNanoseconds
        let window = plan.window(startNanoseconds: start)
        begin(start, window)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await stop() }
            group.addTask {
                let left = window.endNanoseconds - Clock.monotonicNanoseconds() + lagNanoseconds
                try? await Task.sleep(for: .nanoseconds(left))
            }
            await group.next()
            group.cancelAll()
        }
        let measured = window.ended(byNanoseconds: Clock.monotonicNanoseconds())
        if measured != window { shorten(measured) }
        return measured
    }
}
