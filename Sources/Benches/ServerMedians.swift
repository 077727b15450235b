import Results

extension FanoutBench.Measurement {
    /// Adds what the scheduler did to the server in the steady window.
    ///
    /// - Parameters:
    ///   - rows: Rows of `processes.csv`.
    ///   - seconds: Length of the window.
    mutating func addScheduling(of rows: [ProcessRow], seconds: Double) {
        // Rows with a thread group are parts of the row of the whole process.
        let steady = rows.filter {
            $0.role == "server" && $0.steady == 1 && $0.threadGroup.isEmpty
        }
        guard !steady.isEmpty, seconds > 0 else { return }
        let switches = steady.reduce(0) {
            $0 + ($1.voluntarySwitches ?? 0) + ($1.involuntarySwitches ?? 0)
        }
        let waited = steady.reduce(0) { $0 + ($1.runDelayMilliseconds ?? 0) }
        switchesPerSecond = Double(switches) / seconds
        runDelayMillisecondsPerSecond = waited / seconds
        // A server may have several processes; nginx has a master and workers.
        serverThreads = Dictionary(grouping: steady, by: \.timeSeconds).values
            .map { moment in moment.reduce(0) { $0 + ($1.threads ?? 0) } }.max()
    }
}

/// Medians over the pairs of one server or model of threads.
package struct ServerMedians: Codable, Sendable, Hashable {
    package var server: String
    /// Reading mode of the load viewers, or `push`.
    package var mode: String
    /// CPU seconds of the server per gigabit; nil if no pair measured them, as with the others.
    package var cpuPerGigabit: Double?
    package var delayP50Milliseconds: Double?
    package var delayP99Milliseconds: Double?
    package var rssBytes: Double?
    package var cachedBytes: Double?
    package var threads: Double?
    package var switchesPerSecond: Double?
    package var runDelayMillisecondsPerSecond: Double?

    private enum CodingKeys: String, CodingKey {
        case server, mode, threads
        case cpuPerGigabit = "server_cpu_s_per_gbit"
        case delayP50Milliseconds = "delay_p50_ms"
        case delayP99Milliseconds = "delay_p99_ms"
        case rssBytes = "server_rss_bytes"
        case cachedBytes = "cached_bytes"
        case switchesPerSecond = "switches_per_s"
        case runDelayMillisecondsPerSecond = "run_delay_ms_per_s"
    }

    /// Returns the medians of every server, in the order of their first measurements.
    static func all(of measurements: [FanoutBench.Measurement]) -> [ServerMedians] {
        var all: [ServerMedians] = []
        for measurement in measurements
        where !all.contains(where: {
            $0.server == measurement.server && $0.mode == measurement.mode
        }) {
            let mine = measurements.filter {
                $0.server == measurement.server && $0.mode == measurement.mode
            }
            func median(_ value: (FanoutBench.Measurement) -> Double?) -> Double? {
                FrontRow.median(mine.compactMap(value))
            }
            var row = ServerMedians(server: measurement.server, mode: measurement.mode)
            row.cpuPerGigabit = median { $0.serverCPUPerGigabit }
            row.delayP50Milliseconds = median { $0.delayP50Milliseconds }
            row.delayP99Milliseconds = median { $0.delayP99Milliseconds }
            row.rssBytes = median { Double($0.serverRSSBytes) }
            row.cachedBytes = median { $0.cachedBytes.map { Double($0) } }
            row.threads = median { $0.serverThreads.map { Double($0) } }
            row.switchesPerSecond = median { $0.switchesPerSecond }
            row.runDelayMillisecondsPerSecond = median { $0.runDelayMillisecondsPerSecond }
            all.append(row)
        }
        return all
    }
}
