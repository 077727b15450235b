import Analysis
import Processes
import SimulationKernel
import Stacks

/// The edges of a trial together, as its notes, its accounting and its record name them.
extension [TrialEdge] {
    /// Notes for the readers of the results about edges that ended on their own.
    ///
    /// - Parameters:
    ///   - start: The shared start time on the monotonic clock.
    ///   - window: The steady window.
    func notes(start: Int64, window: Window) -> [String] {
        var notes: [String] = flatMap { edge -> [String] in
            edge.events.map { event -> String in
                let moment = RunMoment(event.moment, start: start, window: window)
                return "\(edge.name) \(event.words) (at \(moment))"
            }
        }
        let summary = SupervisionSummary(
            kind: "edges", programs: map { ($0.name, $0.state.rawValue) },
            restarts: reduce(0) { $0 + $1.restarts })
        if summary.isDegraded || summary.restarts > 0 { notes.append(summary.note) }
        return notes
    }

    /// Reason why the trial has failed if an edge was given up, which is a failure of the server's
    /// side, just as the server's end is; nil if no edge was given up.
    ///
    /// - Parameter hasFailover: Whether viewers go to another edge when their own edge fails.
    func lossReason(hasFailover: Bool) -> String? {
        let isAlone = count == 1 || !hasFailover
        return first { $0.state == .failed }.map {
            "\($0.name) was given up in mid-run\(isAlone ? ", and its viewers with it" : ""): it "
                + $0.lastFailure
        }
    }

    /// The edges' processes as they are now.
    var accountedGroups: [AccountedGroup] {
        compactMap { edge in
            edge.pid.map {
                AccountedGroup(
                    role: AccountedGroup.edgeRole, processGroup: $0, ignoredCommands: ["sh"],
                    name: edge.name)
            }
        }
    }

    /// Ends the edges and puts their counts into the record. If an edge's final report is lost, the
    /// record gets the counts of its latest interval report.
    ///
    /// - Returns: Notes about lost reports.
    func finish(into record: inout TrialRecord) async -> [String] {
        var losses: [String] = []
        for edge in self {
            let (status, lost) = await edge.finish()
            losses += lost.map { "\(edge.name): \($0)" }
            record.edges.append(EdgeObservation(name: edge.name, status: status))
        }
        return losses
    }
}
