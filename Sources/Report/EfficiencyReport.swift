import Results
import Statistics

/// Lines on what the server's CPU time carried, and on the busiest threads.
struct EfficiencyReport {
    private let efficiency: ServerEfficiency?
    private let threads: [BusyThread]

    init(_ summary: Summary) {
        efficiency = summary.efficiency
        threads = summary.busiestThreads ?? []
    }

    /// Text of the section; empty if nothing was measured.
    var text: String {
        let lines = efficiencyLines + threadLines
        return lines.isEmpty
            ? ""
            : "CPU (steady window; server = server and edges without encoders; payload that viewers "
                + "received)\n" + lines.map { "  \($0)\n" }.joined()
    }

    private var efficiencyLines: [String] {
        guard let efficiency else { return [] }
        let cores = Figure.number(efficiency.serverCores, digits: 3)
        let rate = Figure.number(efficiency.deliveredGigabitsPerSecond, digits: 3)
        let viewers = Figure.number(efficiency.playingViewers)
        return [
            "CPU s per gigabit  \(Figure.number(efficiency.cpuSecondsPerGigabit, digits: 3)) "
                + "(\(cores) cores for \(rate) Gbit/s)",
            "viewers per core   \(Figure.number(efficiency.viewersPerCore, digits: 0)) "
                + "(\(viewers) played)",
            "streams per core   \(Figure.number(efficiency.streamsPerCore))",
        ]
    }

    private var threadLines: [String] {
        threads.map { thread in
            let process =
                thread.process.isEmpty || thread.process == thread.role
                ? thread.role : "\(thread.role), \(thread.process)"
            return "busiest thread     \(thread.thread) (\(process)): "
                + "\(Figure.number(thread.cpuPercent)) % of a core, "
                + "\(Figure.number(thread.peakPercent)) % at most, of "
                + Figure.count(thread.threads, "thread")
        }
    }
}
