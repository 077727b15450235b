import Results
import Scenario
import SimulationKernel

/// The outcome of a trial, and whether its figures are valid.
struct Verdict {
    let record: TrialRecord
    let joinFailures: [ViewerFailure]

    /// Sets the outcome according to an early end, lost reports, held processes, and the
    /// thresholds.
    func decide(_ summary: inout Summary, _ manifest: inout Manifest) {
        if record.early?.outcome == .failed {
            summary.notes += record.lost
        } else if !record.lost.isEmpty {
            manifest.validity.valid = false
            manifest.validity.reasons.insert(contentsOf: record.lost, at: 0)
        }
        judgeStops(&summary, &manifest)
        if let early = record.early {
            summary.outcome = early.outcome
            summary.earlyEnd = early.reason
            summary.notes.insert(early.reason, at: 0)
            if early.outcome != .failed {
                manifest.validity.valid = false
                manifest.validity.reasons.insert(early.reason, at: 0)
            }
            return
        }
        if !manifest.validity.valid {
            summary.outcome = .void
        } else if summary.thresholds.contains(where: { !$0.passed }) {
            summary.outcome = .failed
        } else if summary.viewersJoined == 0 {
            summary.outcome = .void
            manifest.validity.valid = false
            manifest.validity.reasons.append(
                "no viewer joined, so nothing was measured"
                    + (joinFailures.first.map { " (\($0.count): \($0.reason))" } ?? ""))
        }
    }

    /// Says which processes were held and when. If a process was held in the steady window, the
    /// trial is no verdict on the server. The same holds if a process was held before or after the
    /// window and a threshold failed, because frames of the window are due until the end of the
    /// drain.
    private func judgeStops(_ summary: inout Summary, _ manifest: inout Manifest) {
        let hasFailed = summary.thresholds.contains { !$0.passed }
        var notes: [String] = []
        // Nothing is measured before the start.
        for stop in record.stops where stop.untilNanoseconds > record.startNanoseconds {
            let words = stop.words(from: record.startNanoseconds, window: record.window)
            let isInWindow = stop.overlap(record.window) > 0
            guard record.early?.outcome != .failed, !stop.isOnlooker, isInWindow || hasFailed else {
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
        if record.uncountedStops > 0 {
            notes.append("\(record.uncountedStops) more stops like these")
        }
        summary.notes.insert(contentsOf: notes, at: 0)
    }
}
