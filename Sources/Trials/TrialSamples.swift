import Analysis
import Results
import Server
import Sockets
import Stacks

/// Measurements that the runner itself takes during a trial: CPU time and memory of the processes,
/// the processes that are held, the offset of the clocks, and the encoders by the server's reports.
struct TrialSamples: Sendable {
    /// The accounting of processes; nil before the start of the trial.
    private(set) var accounting: ProcessAccounting?
    private var stops = StopWatch()
    private var clock = ClockOffsetSampler()
    private var encoders = EncoderWatch()
    private var statistics = StatAccounting()

    /// Range of real time minus monotonic time, as far as it has been sampled.
    var clockOffset: Manifest.ClockOffset { clock.offset }
    /// Notes about the encoders for the readers of the results.
    var encoderNotes: [String] { encoders.notes }

    /// Begins the accounting.
    mutating func begin(_ accounting: ProcessAccounting) { self.accounting = accounting }

    /// Accounts what was used since the previous sample.
    ///
    /// - Parameters:
    ///   - seconds: Seconds since the shared start time.
    ///   - isSteady: Whether that whole interval lies in the steady window.
    mutating func sample(atSeconds seconds: Double, isSteady: Bool) {
        accounting?.sample(time: seconds, isSteady: isSteady)
    }

    /// Takes what the server told about its own CPU time; nil if the reading failed.
    ///
    /// - Parameters:
    ///   - seconds: Seconds since the shared start time.
    ///   - isSteady: Whether the whole interval since the previous reading lies in the steady
    ///     window.
    mutating func receive(
        _ reading: StatReading?, runID: String, atSeconds seconds: Double, isSteady: Bool
    ) {
        let row = statistics.receive(reading, runID: runID, time: seconds, isSteady: isSteady)
        if let row { accounting?.add(row) }
    }

    /// Notes about the server's own statistics for the readers of the results.
    var statisticsNotes: [String] { statistics.notes }

    /// Accounts these process groups to a role from here on, instead of those that it had.
    mutating func replace(_ role: String, with groups: [AccountedGroup]) {
        accounting?.replace(role, with: groups)
    }

    /// Takes a report of the server on its encoders; new processes are accounted from here on.
    mutating func receive(_ status: ServerStatus, atSeconds seconds: Double, isSteady: Bool) {
        encoders.receive(status, seconds: seconds, isInWindow: isSteady)
        replace(AccountedGroup.encoderRole, with: EncoderWatch.accountedGroups(status))
    }

    /// Ignores later reports on encoders: the run itself ends them.
    mutating func closeEncoders() { encoders.close() }

    /// Notes the processes that a signal or a debugger holds.
    mutating func lookForStops() {
        stops.receive(accounting?.stopped ?? [:], at: Clock.monotonicNanoseconds())
    }

    mutating func readClocks() { clock.sample() }

    /// Puts everything but the encoders' notes into the record.
    func add(to record: inout TrialRecord) {
        record.usage = accounting?.usage
        if statistics.unreadSeconds > 0 {
            record.usage?.unreadSeconds = statistics.unreadSeconds
        }
        (record.stops, record.uncountedStops) = (stops.stops, stops.uncounted)
        record.clockOffset = clock.offset
    }
}
