package import Results

/// CPU time and memory that a trial's processes used, as they were accounted.
package struct AccountedUsage: Codable, Sendable {
    /// Role of encoders in `processes.csv`. Summaries use the plural, as for all other roles.
    package static let encoderRole = "encoder"
    /// Name of the rows that tell what a server's own statistics told.
    package static let statisticsName = "stat"

    package var rows: [ProcessRow] = []
    /// Total length of the intervals in the steady window, in seconds.
    package var steadySeconds = 0.0
    /// Share of CPU time that the hypervisor took in the steady window, 0…1.
    package var steal = 0.0
    /// The busiest thread of each role in the steady window; nil in records of versions that did
    /// not account threads.
    package var busiestThreads: [BusyThread]?
    /// Seconds of the steady window about which the server's own statistics tell nothing; nil if
    /// there are none, or if there are no such statistics.
    package var unreadSeconds: Double?

    package init() {}

    /// CPU seconds per second that processes of this name used over the steady window so far; nil
    /// if no such process was seen.
    func steadyCPU(ofName name: String) -> Double? {
        let mine = rows.filter { $0.steady == 1 && $0.threadGroup.isEmpty && $0.name == name }
        guard !mine.isEmpty, steadySeconds > 0 else { return nil }
        return mine.reduce(0) { $0 + ($1.cpuSeconds ?? 0) } / steadySeconds
    }

    /// Mean usage of each role over the steady window.
    var roleUsage: [RoleUsage] {
        let steady = rows.filter { $0.steady == 1 && $0.threadGroup.isEmpty }
        guard steadySeconds > 0 else { return [] }
        var roles: [String] = []
        for row in steady where !roles.contains(row.role) { roles.append(row.role) }
        return roles.map { role in
            let mine = steady.filter { $0.role == role }
            let cpu = mine.reduce(0) { $0 + ($1.cpuSeconds ?? 0) }
            // Time without a reading is not time without work.
            let isRead = mine.allSatisfy { $0.name == Self.statisticsName }
            let known = steadySeconds - (isRead ? unreadSeconds ?? 0 : 0)
            let rss = Dictionary(grouping: mine, by: \.timeSeconds).values
                .map { $0.reduce(0) { $0 + ($1.rssBytes ?? 0) } }
            return RoleUsage(
                role: role == Self.encoderRole ? "encoders" : role,
                processes: Set(mine.compactMap(\.pid)).count,
                cpuPercent: cpu / (known > 0 ? known : steadySeconds) * 100,
                peakRSSBytes: rss.max() ?? 0,
                runDelayMilliseconds: mine.reduce(0) { $0 + ($1.runDelayMilliseconds ?? 0) })
        }
    }
}
