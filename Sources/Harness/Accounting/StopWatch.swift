import Results

/// Times in which a process of the trial was held by a signal (SIGSTOP, Ctrl-Z) or by a debugger, and
/// times in which the runner itself did not run.
///
/// The runner looks ten times a second; what is shorter than two looks is not seen. Pure: the states
/// and the time are arguments.
struct StopWatch: Sendable {
    struct Stop: Codable, Hashable, Sendable {
        /// As in `AccountedGroup`; `runnerRole` for this process.
        var role: String
        /// What a reader is told: `viewers-0`, `server`.
        var name: String
        /// Monotonic clock.
        var fromNanoseconds: Int64
        var untilNanoseconds: Int64
        /// Whether it went on, as far as was seen.
        var isOver = false

        /// Nanoseconds of it within `window`.
        func overlap(_ window: WorkerWindow) -> Int64 {
            max(
                0,
                min(untilNanoseconds, window.endNanoseconds)
                    - max(fromNanoseconds, window.startNanoseconds))
        }

        /// Those who only look on: a capture's packets wait in the kernel, and what it loses is
        /// counted; children go on without the runner.
        var isOnlooker: Bool {
            role == StopWatch.runnerRole || role == "capture" || role == "recorder"
        }
    }

    static let runnerRole = "runner"
    /// Stops kept; later ones are counted.
    static let limit = 100
    /// Shorter than that nobody was stopped: tracers hold their processes again and again.
    static let leastNanoseconds: Int64 = 200_000_000
    /// A busy machine keeps the runner waiting, too.
    static let leastRunnerNanoseconds: Int64 = 2_000_000_000

    private var under: [Int32: Stop] = [:]
    private var ended: [Stop] = []
    private(set) var uncounted = 0
    private var lastLook: Int64?

    /// Takes what one look found.
    ///
    /// - Parameters:
    ///   - stopped: those that are held now, by process ID.
    ///   - now: the monotonic clock, in nanoseconds.
    mutating func receive(_ stopped: [Int32: AccountedGroup], at now: Int64) {
        let before = lastLook ?? now
        lastLook = now
        if now - before >= Self.leastRunnerNanoseconds {
            keep(
                Stop(
                    role: Self.runnerRole, name: Self.runnerRole, fromNanoseconds: before,
                    untilNanoseconds: now, isOver: true))
        }
        for (pid, group) in stopped {
            if under[pid] == nil {
                under[pid] = Stop(
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

    private mutating func keep(_ stop: Stop) {
        guard stop.untilNanoseconds - stop.fromNanoseconds >= Self.leastNanoseconds else { return }
        if ended.count < Self.limit { ended.append(stop) } else { uncounted += 1 }
    }

    /// In the order of their beginnings, those that go on included.
    var stops: [Stop] {
        let going = under.values.filter {
            $0.untilNanoseconds - $0.fromNanoseconds >= Self.leastNanoseconds
        }
        return (ended + going).sorted {
            ($0.fromNanoseconds, $0.name) < ($1.fromNanoseconds, $1.name)
        }
    }
}

extension StopWatch.Stop {
    /// What a reader of the results should know.
    /// - Parameter start: the shared start time.
    func words(from start: Int64, window: WorkerWindow) -> String {
        func seconds(_ nanoseconds: Int64) -> String {
            CSVNumber.text((Double(nanoseconds) / 1e8).rounded() / 10)
        }
        let inside = overlap(window)
        let place = inside > 0 ? ", \(seconds(inside)) s of it in the steady window" : ""
        let end =
            isOver ? "until \(seconds(untilNanoseconds - start)) s" : "to the end of the run"
        let times = "from \(seconds(fromNanoseconds - start)) s \(end)\(place)"
        guard role != StopWatch.runnerRole else {
            return
                "the runner was held up \(times) (stopped by a signal, or without CPU or disk): the "
                + "children went on, but processes.csv has a gap there, and stops of others in it "
                + "were not seen"
        }
        return "\(name) was stopped \(times) (by a signal such as SIGSTOP, or a debugger)"
    }
}

extension TrialRecord {
    /// Says which parts were held and when. A trial with a part that was held in the steady window is
    /// no verdict on the server, nor is one with a threshold that failed after a part was held before
    /// or after it: frames of the window are due until the drain's end.
    func judgeStops(_ summary: inout Summary, _ manifest: inout Manifest) {
        let hasFailed = summary.thresholds.contains { !$0.passed }
        var notes: [String] = []
        // Before the start nothing is measured.
        for stop in stops where stop.untilNanoseconds > startNanoseconds {
            let words = stop.words(from: startNanoseconds, window: window)
            let isInWindow = stop.overlap(window) > 0
            guard early?.outcome != .failed, !stop.isOnlooker, isInWindow || hasFailed else {
                notes.append(words)
                continue
            }
            manifest.validity.valid = false
            manifest.validity.reasons.append(
                words
                    + (isInWindow
                        ? ": the figures are not the server's own"
                        : ", and a threshold failed: the stop may be why; run it again"))
        }
        if uncountedStops > 0 { notes.append("\(uncountedStops) more stops like these") }
        summary.notes.insert(contentsOf: notes, at: 0)
    }
}
