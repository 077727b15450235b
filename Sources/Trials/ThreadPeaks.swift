import Results

/// CPU time of each thread over the steady window, as far as the busiest thread of each role needs
/// it. The number of threads is bounded; later ones than the first 50,000 are not followed and do
/// not count.
struct ThreadPeaks: Sendable {
    /// Most threads that are followed.
    static let limit = 50_000

    /// A thread, told from threads of later processes by the start of its process. A thread that
    /// gets the number of one that ended in the same process continues its sum.
    struct Key: Hashable, Sendable {
        var pid: Int32
        var startTicks: Int64
        var tid: Int32
    }

    private struct Total: Sendable {
        var role: String
        var process: String
        var thread: String
        var cpuNanoseconds: Int64 = 0
        var peakPercent = 0.0
    }

    private var totals: [Key: Total] = [:]

    /// Adds what a thread used in one interval of the steady window.
    ///
    /// - Parameters:
    ///   - cpuNanoseconds: CPU time in the interval.
    ///   - interval: Length of the interval in seconds, more than 0.
    mutating func add(
        _ key: Key, role: String, process: String, thread: String, cpuNanoseconds: Int64,
        interval: Double
    ) {
        guard cpuNanoseconds > 0, totals[key] != nil || totals.count < Self.limit else { return }
        var total = totals[key] ?? Total(role: role, process: process, thread: thread)
        // A thread may get its name after its start.
        total.thread = thread
        total.cpuNanoseconds += cpuNanoseconds
        total.peakPercent = max(total.peakPercent, Double(cpuNanoseconds) / 1e7 / interval)
        totals[key] = total
    }

    /// The busiest thread of each role, the busiest first.
    ///
    /// - Parameter seconds: Length of the steady window so far, more than 0.
    func busiest(over seconds: Double) -> [BusyThread] {
        var best: [String: (total: Total, threads: Int)] = [:]
        for total in totals.values {
            guard let known = best[total.role] else {
                best[total.role] = (total, 1)
                continue
            }
            let isBusier =
                (total.cpuNanoseconds, known.total.thread)
                > (known.total.cpuNanoseconds, total.thread)
            best[total.role] = (isBusier ? total : known.total, known.threads + 1)
        }
        return best.values.map { total, threads in
            BusyThread(
                role: total.role, process: total.process, thread: total.thread,
                cpuPercent: Double(total.cpuNanoseconds) / 1e7 / seconds,
                peakPercent: total.peakPercent, threads: threads)
        }.sorted { ($0.cpuPercent, $1.role) > ($1.cpuPercent, $0.role) }
    }
}
