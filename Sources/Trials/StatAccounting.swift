import Analysis
import Results
import Stacks

/// Turns readings of a server's own statistics into rows of `processes.csv`.
///
/// A reading that failed costs nothing but resolution: the next one tells the mean since the last.
struct StatAccounting: Sendable {
    private var last: StatReading?
    private var lastTime: Double?
    /// Seconds of the steady window since the last reading.
    private var steadySeconds = 0.0
    /// Seconds of the steady window before the first reading.
    private var unreadAtStart = 0.0
    /// Number of times that the counter went back.
    private(set) var resets = 0

    /// Takes one reading.
    ///
    /// - Parameters:
    ///   - reading: The reading; nil if it failed.
    ///   - time: Seconds since the shared start time.
    ///   - isSteady: Whether the whole interval since the previous reading, failed or not, lies in
    ///     the steady window.
    /// - Returns: What the server used since the last reading; nil if that is not known.
    mutating func receive(
        _ reading: StatReading?, runID: String, time: Double, isSteady: Bool
    ) -> ProcessRow? {
        let interval = lastTime.map { time - $0 } ?? 0
        lastTime = time
        if isSteady { steadySeconds += max(0, interval) }
        guard let reading else { return nil }
        guard let before = last else {
            last = reading
            unreadAtStart += steadySeconds
            steadySeconds = 0
            return nil
        }
        let seconds =
            Double(reading.atNanoseconds) / 1e9 - Double(before.atNanoseconds) / 1e9
        guard seconds > 0 else { return nil }
        last = reading
        let steady = steadySeconds
        steadySeconds = 0
        var used = reading.cpuSeconds - before.cpuSeconds
        if used < 0 {
            // A server that was started again counts from 0.
            resets += 1
            used = reading.cpuSeconds
        }
        let rate = used / seconds
        var row = ProcessRow()
        row.runID = runID
        row.timeSeconds = (time * 1e3).rounded() / 1e3
        row.role = "server"
        row.name = AccountedUsage.statisticsName
        row.cpuSeconds = steady > 0 ? rate * steady : used
        row.cpuPercent = rate * 100
        row.rssBytes = reading.rssBytes
        row.steady = steady > 0 ? 1 : 0
        return row
    }

    /// Seconds of the steady window so far that lie between no two readings.
    var unreadSeconds: Double { unreadAtStart + steadySeconds }

    var notes: [String] {
        var notes: [String] = []
        if resets > 0 {
            notes.append(
                "the CPU time of stack.stat went back \(resets) times: the server was started again"
            )
        }
        let tenths = (unreadSeconds * 10).rounded() / 10
        if tenths > 0 {
            notes.append(
                "stack.stat tells nothing about \(tenths) s of the steady window; the server's CPU is the mean over the rest"
            )
        }
        return notes
    }
}
