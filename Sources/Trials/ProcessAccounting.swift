import Analysis
import Processes
import Results

/// A process group and the role it is accounted to.
package struct AccountedGroup: Hashable, Sendable {
    package var role: String
    /// The group's leader; its other members (nginx's workers) are found as they appear.
    package var processGroup: Int32
    /// Whether `processGroup` is one process, whatever group that process is in. Encoders that
    /// nginx starts are in nginx's group.
    package var isAlone: Bool
    /// Start of that process in clock ticks since the machine's start; nil = not known. A later
    /// process with its number is not accounted.
    package var startTicks: Int64?
    /// Names of processes of the group that are not part of the role, such as the guard `sh`.
    package var ignoredCommands: Set<String>
    /// Name such as `viewers-0` or `encoder-cam_720p`; empty if the group has no name.
    package var name: String

    package static let encoderRole = AccountedUsage.encoderRole
    package static let edgeRole = "edge"

    package init(
        role: String, processGroup: Int32, isAlone: Bool = false, startTicks: Int64? = nil,
        ignoredCommands: Set<String> = [], name: String = ""
    ) {
        self.isAlone = isAlone
        self.startTicks = startTicks
        self.name = name
        self.role = role
        self.processGroup = processGroup
        self.ignoredCommands = ignoredCommands
    }
}

/// Turns samples of `/proc` into rows of `processes.csv`.
///
/// The caller decides when to sample and passes the time. CPU time is the sum over threads of
/// `schedstat` (nanoseconds); the time of threads that ended is taken from the process's clock
/// ticks, and so is all time where the kernel has no `schedstat`.
package struct ProcessAccounting: Sendable {
    private let runID: String
    private var groups: [AccountedGroup]
    private var lastTime: Double
    private var last: [Int32: ProcessSnapshot] = [:]
    /// The processes of the last sample, with the group that each belongs to.
    private var present: [Int32: AccountedGroup] = [:]
    private let firstTicks: MachineTicks
    private var steadyTicks: MachineTicks?
    private var endTicks: MachineTicks?
    /// Moment of the first sample in clock ticks since the machine's start.
    private let firstStartTicks: Int64
    private var threads = ThreadPeaks()
    /// The usage that was accounted so far.
    private(set) var usage = AccountedUsage()

    /// Takes the first sample.
    ///
    /// - Parameter time: Seconds since the shared start time; may be negative.
    package init(runID: String, groups: [AccountedGroup], time: Double) {
        self.runID = runID
        self.groups = groups
        lastTime = time
        firstTicks = MachineTicks()
        firstStartTicks = ProcessSnapshot.nowTicks
        for (group, snapshot) in snapshots() {
            last[snapshot.pid] = snapshot
            present[snapshot.pid] = group
        }
    }

    /// Replaces the groups of a role with its present ones. What a process used between the last
    /// sample and its end is lost; a new process is accounted from its start.
    package mutating func replace(_ role: String, with present: [AccountedGroup]) {
        groups.removeAll { $0.role == role }
        groups += present
    }

    /// Accounts what was used since the previous sample.
    ///
    /// - Parameter isSteady: Whether that whole interval lies in the steady window.
    package mutating func sample(time: Double, isSteady: Bool) {
        let interval = time - lastTime
        guard interval > 0 else { return }
        let ticks = MachineTicks()
        if isSteady {
            if steadyTicks == nil { steadyTicks = endTicks ?? firstTicks }
            endTicks = ticks
            usage.steadySeconds += interval
            if let steadyTicks { usage.steal = ticks.stealShare(since: steadyTicks) }
        } else if steadyTicks == nil {
            endTicks = ticks
        }
        var current: [Int32: ProcessSnapshot] = [:]
        present = [:]
        for (group, snapshot) in snapshots() {
            current[snapshot.pid] = snapshot
            present[snapshot.pid] = group
            append(snapshot, of: group, time: time, interval: interval, isSteady: isSteady)
        }
        last = current
        lastTime = time
        if usage.steadySeconds > 0 {
            usage.busiestThreads = threads.busiest(over: usage.steadySeconds)
        }
    }

    /// Adds a row that was measured in another way.
    mutating func add(_ row: ProcessRow) { usage.rows.append(row) }

    /// Processes of the last sample that a signal or a tracer holds now.
    var stopped: [Int32: AccountedGroup] {
        present.filter { pid, _ in
            let state = ProcFile.statFields(pid: pid)?.first
            return state == "T" || state == "t"
        }
    }

    private func snapshots() -> [(group: AccountedGroup, snapshot: ProcessSnapshot)] {
        groups.flatMap { group in
            let pids =
                group.isAlone ? [group.processGroup] : ProcFile.members(ofGroup: group.processGroup)
            return pids.compactMap { pid in
                ProcessSnapshot(pid: pid).flatMap { snapshot in
                    let command = snapshot.threads[pid]?.name ?? ""
                    let isOther =
                        (group.startTicks ?? snapshot.startTicks) != snapshot.startTicks
                    return isOther || group.ignoredCommands.contains(command)
                        ? nil : (group, snapshot)
                }
            }
        }
    }

    private mutating func append(
        _ now: ProcessSnapshot, of accounted: AccountedGroup, time: Double, interval: Double,
        isSteady: Bool
    ) {
        // Another process may have got the number since the last sample.
        let before = last[now.pid].flatMap { $0.startTicks == now.startTicks ? $0 : nil }
        // What a process used before the first sample belongs to no interval, if it is seen late.
        guard before != nil || now.startTicks >= firstStartTicks else { return }
        var groups: [String: (counters: UsageCounters, threads: Int)] = [:]
        for (tid, thread) in now.threads {
            let earlier = before?.threads[tid]?.counters ?? UsageCounters()
            let entry = groups[thread.group] ?? (UsageCounters(), 0)
            let used = thread.counters.since(earlier)
            groups[thread.group] = (entry.counters + used, entry.threads + 1)
            if isSteady {
                threads.add(
                    .init(pid: now.pid, startTicks: now.startTicks, tid: tid),
                    role: accounted.role, process: accounted.name, thread: thread.name,
                    cpuNanoseconds: used.cpuNanoseconds, interval: interval)
            }
        }
        var whole = groups.values.reduce(UsageCounters()) { $0 + $1.counters }
        // Threads that ended in the interval are counted only in the process's ticks of 10 ms.
        let ended = before.map { !Set($0.threads.keys).isSubset(of: now.threads.keys) } ?? false
        // Some kernels and sandboxes have no times in schedstat.
        if ended || whole.cpuNanoseconds == 0 {
            let ticks = now.tickNanoseconds - (before?.tickNanoseconds ?? 0)
            whole.cpuNanoseconds = max(whole.cpuNanoseconds, ticks)
        }
        func row(_ counters: UsageCounters, threads: Int, group: String) -> ProcessRow {
            var row = ProcessRow()
            row.runID = runID
            row.timeSeconds = (time * 1e3).rounded() / 1e3
            row.role = accounted.role
            row.name = accounted.name
            row.pid = Int(now.pid)
            row.threads = threads
            row.cpuSeconds = Double(counters.cpuNanoseconds) / 1e9
            row.cpuPercent = Double(counters.cpuNanoseconds) / 1e7 / interval
            row.rssBytes = group.isEmpty ? now.rssBytes : nil
            row.voluntarySwitches = counters.voluntarySwitches
            row.involuntarySwitches = counters.involuntarySwitches
            row.runDelayMilliseconds = Double(counters.runDelayNanoseconds) / 1e6
            row.threadGroup = group
            row.steady = isSteady ? 1 : 0
            return row
        }
        usage.rows.append(row(whole, threads: now.threads.count, group: ""))
        guard groups.count > 1 else { return }
        for (name, entry) in groups.sorted(by: { $0.key < $1.key }) {
            usage.rows.append(row(entry.counters, threads: entry.threads, group: name))
        }
    }
}
