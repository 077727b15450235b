import Results
import SimulationKernel

/// A time in which a signal or a debugger held a process of the trial, or in which the runner
/// itself did not run.
package struct ProcessStop: Codable, Hashable, Sendable {
    /// Role of the runner itself.
    package static let runnerRole = "runner"

    /// Role that the process is accounted to; `runnerRole` for the runner.
    var role: String
    /// Name of the process for readers, such as `viewers-0` or `server`.
    package var name: String
    /// Start of the stop on the monotonic clock.
    package var fromNanoseconds: Int64
    package var untilNanoseconds: Int64
    /// Whether the process was seen to run again.
    package var isOver = false

    package init(
        role: String, name: String, fromNanoseconds: Int64, untilNanoseconds: Int64,
        isOver: Bool = false
    ) {
        self.role = role
        self.name = name
        self.fromNanoseconds = fromNanoseconds
        self.untilNanoseconds = untilNanoseconds
        self.isOver = isOver
    }

    /// Nanoseconds of the stop that lie within `window`.
    func overlap(_ window: Window) -> Int64 {
        max(
            0,
            min(untilNanoseconds, window.endNanoseconds)
                - max(fromNanoseconds, window.startNanoseconds))
    }

    /// Whether the process only observes the trial. The packets of a held capture wait in the
    /// kernel, and packets that are lost there are counted. The children run on without the runner.
    var isOnlooker: Bool {
        role == Self.runnerRole || role == "capture" || role == "recorder"
    }
}

extension ProcessStop {
    /// Returns a description for readers of the results.
    /// - Parameter start: The shared start time.
    func words(from start: Int64, window: Window) -> String {
        func seconds(_ nanoseconds: Int64) -> String {
            CSVNumber.text((Double(nanoseconds) / 1e8).rounded() / 10)
        }
        let inside = overlap(window)
        let place = inside > 0 ? ", \(seconds(inside)) s of it in the steady window" : ""
        let end =
            isOver ? "until \(seconds(untilNanoseconds - start)) s" : "to the end of the run"
        let times = "from \(seconds(fromNanoseconds - start)) s \(end)\(place)"
        guard role != Self.runnerRole else {
            return
                "the runner was held up \(times) (stopped by a signal, or without CPU or disk): the "
                + "children went on, but processes.csv has a gap there, and stops of others in it "
                + "were not seen"
        }
        return "\(name) was stopped \(times) (by a signal such as SIGSTOP, or a debugger)"
    }
}
