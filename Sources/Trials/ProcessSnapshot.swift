import Foundation
import Glibc
import Processes

/// Counters of one thread, or the sum over threads, since their start.
struct UsageCounters: Hashable, Sendable {
    /// Time on a CPU.
    var cpuNanoseconds: Int64 = 0
    /// Time runnable, waiting for a CPU.
    var runDelayNanoseconds: Int64 = 0
    var voluntarySwitches = 0
    var involuntarySwitches = 0

    static func + (a: Self, b: Self) -> Self {
        UsageCounters(
            cpuNanoseconds: a.cpuNanoseconds + b.cpuNanoseconds,
            runDelayNanoseconds: a.runDelayNanoseconds + b.runDelayNanoseconds,
            voluntarySwitches: a.voluntarySwitches + b.voluntarySwitches,
            involuntarySwitches: a.involuntarySwitches + b.involuntarySwitches)
    }

    /// Returns what was added since `earlier`. The counters of a thread that ended are missing from
    /// a sum, so a negative difference counts as 0.
    func since(_ earlier: Self) -> Self {
        UsageCounters(
            cpuNanoseconds: max(0, cpuNanoseconds - earlier.cpuNanoseconds),
            runDelayNanoseconds: max(0, runDelayNanoseconds - earlier.runDelayNanoseconds),
            voluntarySwitches: max(0, voluntarySwitches - earlier.voluntarySwitches),
            involuntarySwitches: max(0, involuntarySwitches - earlier.involuntarySwitches))
    }
}

/// One thread at one moment.
struct ThreadSnapshot: Hashable, Sendable {
    var name: String
    var counters: UsageCounters

    /// The name without its trailing number: `NIO-ELT-0-#1` belongs to the group `NIO-ELT`.
    var group: String {
        let base = name.reversed().drop { $0.isNumber || "-#_/:".contains($0) }.reversed()
        return base.isEmpty ? name : String(base)
    }
}

/// One process at one moment, from `/proc/<pid>`.
struct ProcessSnapshot: Hashable, Sendable {
    var pid: Int32
    /// Time of the process's start in clock ticks since the machine's start.
    var startTicks: Int64
    /// CPU time in user and system mode, in nanoseconds with the resolution of clock ticks. It
    /// includes threads that have ended.
    var tickNanoseconds: Int64
    var rssBytes: Int
    /// Threads by thread ID.
    var threads: [Int32: ThreadSnapshot]

    /// Reads the snapshot of a process; nil if the process is gone or is a zombie.
    init?(pid: Int32) {
        guard let stat = ProcFile.statFields(pid: pid), stat.count > 21, stat[0] != "Z" else {
            return nil
        }
        self.pid = pid
        startTicks = Int64(stat[19]) ?? 0
        let ticks = (Int64(stat[11]) ?? 0) + (Int64(stat[12]) ?? 0)
        tickNanoseconds = ticks * (1_000_000_000 / Int64(sysconf(Int32(_SC_CLK_TCK))))
        rssBytes = (Int(stat[21]) ?? 0) * Int(getpagesize())
        threads = [:]
        let task = "/proc/\(pid)/task"
        for name in (try? FileManager.default.contentsOfDirectory(atPath: task)) ?? [] {
            guard let tid = Int32(name) else { continue }
            threads[tid] = Self.thread(at: "\(task)/\(tid)")
        }
    }

    /// Reads two files of a thread. A server with a sender thread for each receiver has hundreds of
    /// them, so nothing is read twice and only three lines are taken apart.
    private static func thread(at path: String) -> ThreadSnapshot? {
        guard let status = ProcFile.read("\(path)/status") else { return nil }
        var name = ""
        var counters = UsageCounters()
        let scheduling = (ProcFile.read("\(path)/schedstat") ?? "").split(separator: " ")
        if scheduling.count >= 2 {
            counters.cpuNanoseconds = Int64(scheduling[0]) ?? 0
            counters.runDelayNanoseconds = Int64(scheduling[1]) ?? 0
        }
        for line in status.split(separator: "\n") {
            if line.hasPrefix("Name:") {
                name = String(line.dropFirst(5).drop { $0 == "\t" || $0 == " " })
                continue
            }
            guard line.hasPrefix("voluntary") || line.hasPrefix("nonvoluntary") else { continue }
            let parts = line.split { $0 == ":" || $0 == "\t" || $0 == " " }
            guard parts.count == 2 else { continue }
            switch parts[0] {
            case "voluntary_ctxt_switches": counters.voluntarySwitches = Int(parts[1]) ?? 0
            case "nonvoluntary_ctxt_switches": counters.involuntarySwitches = Int(parts[1]) ?? 0
            default: break
            }
        }
        return ThreadSnapshot(name: name, counters: counters)
    }
}

extension ProcessSnapshot {
    /// The present time in clock ticks since the machine's start, as starts of processes are given.
    static var nowTicks: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        let perSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
        return Int64(time.tv_sec) * perSecond + Int64(time.tv_nsec) * perSecond / 1_000_000_000
    }
}

/// CPU time of the whole machine, from the first line of `/proc/stat`, in clock ticks.
struct MachineTicks: Hashable, Sendable {
    var total: Int64 = 0
    var steal: Int64 = 0

    init() {
        let line = ProcFile.read("/proc/stat")?.split(separator: "\n").first ?? ""
        let values = line.split(separator: " ").dropFirst().compactMap { Int64($0) }
        // The columns are user, nice, system, idle, iowait, irq, softirq and steal. Guest time is
        // part of user time.
        total = values.prefix(8).reduce(0, +)
        if values.count > 7 { steal = values[7] }
    }

    /// Share of CPU time taken by the hypervisor since `earlier`, 0…1.
    func stealShare(since earlier: Self) -> Double {
        total > earlier.total ? Double(steal - earlier.steal) / Double(total - earlier.total) : 0
    }
}
