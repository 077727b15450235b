package import Processes
package import SimulationKernel

/// An end of a server that ended on its own, and its start after that.
package struct StackRestart: Sendable, Hashable {
    package var status: ExitStatus
    /// Time on the monotonic clock at which the server was seen to have ended.
    package var endedNanoseconds: Int64
    /// Time on the monotonic clock at which the server accepted connections again; nil = not yet.
    package var backNanoseconds: Int64?
    /// Reason why the latest attempt to start the server again failed; nil if none has failed.
    package var failure: String?

    /// Returns the sentence that the results of a run have about it.
    ///
    /// - Parameters:
    ///   - start: The shared start time on the monotonic clock.
    ///   - window: The steady window.
    package func note(start: Int64, window: Window) -> String {
        let back =
            backNanoseconds.map {
                "started again at \(RunMoment(seconds: Double($0 - start) / 1e9, isInSteadyWindow: false))"
            } ?? "not started again" + (failure.map { ": \($0)" } ?? "")
        return "the server ended at \(RunMoment(endedNanoseconds, start: start, window: window)) "
            + "(\(status)); \(back)"
    }
}
