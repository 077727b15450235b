import SimulationKernel
import Results

/// A time in which a process of the trial was held by a signal or a debugger, or in which the runner
/// itself did not run.
package struct ProcessStop: Codable, Hashable, Sendable {
    /// The role of the runner itself.
    package static let runnerRole = "runner"

    /// The role that the process is accounted to; `runnerRole` for the runner.
    var role: String
    /// What a reader is told: `viewers-0`, `server`.
    package var name: String
    /// Monotonic clock.
    package var fromNanoseconds: Int64
    package var untilNanoseconds: Int64
    /// Whether it went on, as far as was seen.
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

    /// Nanoseconds of it within `window`.
    func overlap(_ window: Window) -> Int64 {
        max(
            0,
            min(untilNanoseconds, window.endNanoseconds)
                - max(fromNanoseconds, window.startNanoseconds))
    }

    /// Those who only look on: a capture's packets wait in the kernel, and what it loses is
    /// counted; children go on without the runner.
    var isOnlooker: Bool {
        role == Self.runnerRole || role == "capture" || role == "recorder"
    }
}

extension ProcessStop {
    /// What a reader of the results should know.
    /// - Parameter start: the shared start time.
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
