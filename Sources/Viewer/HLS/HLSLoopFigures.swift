import Statistics

/// Figures that a loop gathers while its viewers play: its lag, and the counts of its viewers.
struct HLSLoopFigures {
    /// Number of ticks between two reports of the counts.
    private static let ticksPerCount = 10

    /// Lateness against the loop's deadlines since the last report.
    private var lag = DelayHistogram()
    /// Lateness within the steady window alone, since the start.
    private(set) var windowLag = DelayHistogram()
    private var ticks = 0

    /// Records how late the loop was for a deadline, in ns.
    mutating func noteLag(_ late: Int64, isInWindow: Bool) {
        lag.record(nanoseconds: late)
        if isInWindow { windowLag.record(nanoseconds: late) }
    }

    /// Hands the lag to the pool, and once in a while the counts. Returns true if the pool is to
    /// stop.
    mutating func publish(_ viewers: [HLSLoopViewer], to pool: HLSViewerPool) -> Bool {
        ticks += 1
        let counts = ticks % Self.ticksPerCount == 0 ? Self.counts(of: viewers) : nil
        let lag = lag
        self.lag = DelayHistogram()
        return pool.withShared { shared in
            shared.report.lag.add(lag)
            if let counts {
                shared.report.receivedBytes = counts.receivedBytes
                shared.report.failed = counts.failed
                shared.report.connected = counts.connected
                shared.report.playing = counts.playing
            }
            return shared.stop
        }
    }

    private static func counts(of viewers: [HLSLoopViewer]) -> HLSReport {
        var report = HLSReport()
        for viewer in viewers {
            report.receivedBytes += viewer.receivedBytes
            if viewer.failure != nil { report.failed += 1 }
            guard viewer.isPresent else { continue }
            report.connected += 1
            if viewer.session.isPlaying { report.playing += 1 }
        }
        return report
    }
}
