package import SimulationKernel

/// A moment of a run, as notes in its results name it: "12.3 s, in the steady window".
package struct RunMoment: Hashable, Sendable, CustomStringConvertible {
    /// Seconds since the shared start time.
    package var seconds: Double
    package var isInSteadyWindow: Bool

    package init(seconds: Double, isInSteadyWindow: Bool) {
        self.seconds = seconds
        self.isInSteadyWindow = isInSteadyWindow
    }

    /// - Parameters:
    ///   - nanoseconds: The moment on the monotonic clock.
    ///   - start: The shared start time on the same clock.
    package init(_ nanoseconds: Int64, start: Int64, window: Window) {
        self.init(
            seconds: Double(nanoseconds - start) / 1e9,
            isInSteadyWindow: window.contains(nanoseconds))
    }

    package var description: String {
        "\((seconds * 10).rounded() / 10) s" + (isInSteadyWindow ? ", in the steady window" : "")
    }
}
