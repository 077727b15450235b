// This is how a trial is judged if one of its processes was held. The runner looks in `/proc` ten
// times a second for processes that a signal (SIGSTOP) or a debugger holds. A process that was held
// in the steady window makes the trial void. A process that was held before or after the window
// makes it void only if a threshold failed. Stops of captures and of the runner itself are reported
// and never make the trial void. A process that is still held at the end is released, so that it
// can send its report.

import Analysis
import Results

/// Keeps the times in which a process of the trial was held by a signal (SIGSTOP, Ctrl-Z) or by a
/// debugger, and the times in which the runner itself did not run.
///
/// The runner looks ten times a second, so a stop that begins and ends between two looks is not
/// seen. This type is pure: the states and the time are arguments.
struct StopWatch: Sendable {
    /// Number of stops that are kept; later stops are only counted, in `uncounted`.
    static let limit = 100
    /// A stop that is shorter than this does not count, because a tracer holds its process again
    /// and again.
    static let leastNanoseconds: Int64 = 200_000_000
    /// A stop of the runner itself that is shorter than this does not count, because a busy machine
    /// keeps the runner waiting, too.
    static let leastRunnerNanoseconds: Int64 = 2_000_000_000

    /// Stops that still go on, by process ID.
    private var under: [Int32: ProcessStop] = [:]
    /// Stops that are over, in the order of their ends.
    private var ended: [ProcessStop] = []
    /// Number of stops beyond `limit`, which were not kept.
    private(set) var uncounted = 0
    /// Time of the last look on the monotonic clock, in nanoseconds.
    private var lastLook: Int64?

    /// Takes the result of one look.
    ///
    /// - Parameters:
    ///   - stopped: The processes that are held now, by process ID.
    ///   - now: Time on the monotonic clock, in nanoseconds.
    mutating func receive(_ stopped: [Int32: AccountedGroup], at now: Int64) {
        let before = lastLook ?? now
        lastLook = now
        if now - before >= Self.leastRunnerNanoseconds {
            keep(
                ProcessStop(
                    role: ProcessStop.runnerRole, name: ProcessStop.runnerRole,
                    fromNanoseconds: before,
                    untilNanoseconds: now, isOver: true))
        }
        for (pid, group) in stopped {
            if under[pid] == nil {
                under[pid] = ProcessStop(
                    role: group.role, name: group.name.isEmpty ? group.role : group.name,
                    fromNanoseconds: before, untilNanoseconds: now)
            }
            under[pid]?.untilNanoseconds = now
        }
        for (pid, stop) in under where stopped[pid] == nil {
            under[pid] = nil
            var stop = stop
            stop.untilNanoseconds = now
            stop.isOver = true
            keep(stop)
        }
    }

    /// Keeps a stop that is over, or counts it if there are too many.
    private mutating func keep(_ stop: ProcessStop) {
        guard stop.untilNanoseconds - stop.fromNanoseconds >= Self.leastNanoseconds else { return }
        if ended.count < Self.limit { ended.append(stop) } else { uncounted += 1 }
    }

    /// All stops in the order of their beginnings, including those that still go on.
    var stops: [ProcessStop] {
        let going = under.values.filter {
            $0.untilNanoseconds - $0.fromNanoseconds >= Self.leastNanoseconds
        }
        return (ended + going).sorted {
            ($0.fromNanoseconds, $0.name) < ($1.fromNanoseconds, $1.name)
        }
    }
}
