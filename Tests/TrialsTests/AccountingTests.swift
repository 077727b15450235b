import Foundation
import Glibc
import Processes
import Results
import Testing

@testable import Analysis
@testable import Stacks
@testable import Trials

@Suite(.timeLimit(.minutes(1))) struct AccountingTests {
    static func now() -> Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

    @Test func accountsABusyChildWithItsGroup() async throws {
        // The leader sleeps and its child uses the CPU, as nginx's master and worker do.
        let child = try ChildProcess(
            name: "group",
            .init(
                path: "/bin/sh",
                arguments: ["-c", "sh -c 'while :; do :; done' & echo up; wait"]))
        for await _ in child.lines() { break }
        let start = Self.now()
        var accounting = ProcessAccounting(
            runID: "r", groups: [AccountedGroup(role: "server", processGroup: child.pid)], time: 0)
        try await Task.sleep(for: .milliseconds(300))
        let first = Self.now() - start
        accounting.sample(time: first, isSteady: false)
        // The test samples until the child has run, or has waited to run, for 0.4 s. Time that the
        // hypervisor steals counts as neither.
        var steady: [ProcessRow] = []
        var (used, waited) = (0.0, 0.0)
        for _ in 0..<50 where used + waited < 0.4 {
            try await Task.sleep(for: .milliseconds(200))
            accounting.sample(time: Self.now() - start, isSteady: true)
            steady = accounting.usage.rows.filter { $0.threadGroup.isEmpty && $0.steady == 1 }
            used = steady.reduce(0) { $0 + ($1.cpuSeconds ?? 0) }
            waited = steady.reduce(0) { $0 + ($1.runDelayMilliseconds ?? 0) } / 1000
        }
        let elapsed = Self.now() - start - first
        _ = await child.terminate()
        let whole = accounting.usage.rows.filter { $0.threadGroup.isEmpty }
        #expect(Set(whole.compactMap(\.pid)).count == 2)
        #expect(whole.allSatisfy { $0.role == "server" && $0.runID == "r" })
        let usage = try #require(accounting.usage.roleUsage.first)
        #expect(usage.processes == 2)
        // The machine may be shared with other builds, so the bound is low.
        #expect(usage.cpuPercent > 10)
        #expect(usage.peakRSSBytes > 100_000)
        // A busy loop always runs or waits to run, and it uses one core at most.
        #expect(used + waited >= 0.4)
        #expect(used < elapsed * 1.05 + 0.02)
        #expect((0...1).contains(accounting.usage.steal))
    }

    @Test func goneProcessesHaveNoRows() {
        var accounting = ProcessAccounting(
            runID: "r", groups: [AccountedGroup(role: "server", processGroup: 999_999)], time: 0)
        accounting.sample(time: 1, isSteady: true)
        #expect(accounting.usage.rows.isEmpty)
        #expect(accounting.usage.roleUsage.isEmpty)
    }

    @Test(arguments: [
        ("NIO-ELT-0-#1", "NIO-ELT"), ("server", "server"), ("viewer-12", "viewer"), ("7", "7"),
    ]) func threadGroups(name: String, group: String) {
        #expect(ThreadSnapshot(name: name, counters: UsageCounters()).group == group)
    }

    /// A process that got the number of another one is not that process.
    @Test func reusedNumbersAreNotAccounted() throws {
        let own = try #require(ProcessIdentity(pid: getpid()))
        func accounted(_ ticks: Int64?) -> Set<Int32> {
            let group = AccountedGroup(
                role: "server", processGroup: own.pid, isAlone: true, startTicks: ticks)
            var accounting = ProcessAccounting(runID: "r", groups: [group], time: 0)
            accounting.sample(time: 1, isSteady: true)
            return Set(accounting.usage.rows.compactMap(\.pid).map { Int32($0) })
        }
        #expect(accounted(nil) == [own.pid])
        #expect(accounted(own.startTicks) == [own.pid])
        #expect(accounted(own.startTicks - 1) == [])
    }

    /// What a process used before the first sample is in no row, if it is seen only later.
    @Test func lateProcessesCountFromTheirFirstSample() throws {
        let own = try #require(ProcessIdentity(pid: getpid()))
        var accounting = ProcessAccounting(runID: "r", groups: [], time: 0)
        accounting.replace(
            "server",
            with: [
                AccountedGroup(
                    role: "server", processGroup: own.pid, isAlone: true,
                    startTicks: own.startTicks)
            ])
        accounting.sample(time: 1, isSteady: true)
        #expect(accounting.usage.rows.isEmpty)
        accounting.sample(time: 2, isSteady: true)
        #expect(!accounting.usage.rows.isEmpty)
        #expect(accounting.usage.rows.allSatisfy { ($0.cpuSeconds ?? 0) < 600 })
    }

    /// A reading that fails costs nothing but resolution.
    @Test func statisticsOfAServer() {
        struct Usage: Equatable {
            var cpu: Double
            var percent: Double
            var steady: Int
        }
        var accounting = StatAccounting()
        func take(_ cpu: Double?, at seconds: Double, isSteady: Bool) -> Usage? {
            let reading = cpu.map {
                StatReading(
                    cpuSeconds: $0, rssBytes: 7, atNanoseconds: Int64(seconds * 1e9) + 5)
            }
            let row = accounting.receive(
                reading, runID: "r", time: seconds, isSteady: isSteady)
            return row.map {
                Usage(
                    cpu: (($0.cpuSeconds ?? -1) * 1000).rounded() / 1000,
                    percent: (($0.cpuPercent ?? -1) * 10).rounded() / 10, steady: $0.steady ?? -1)
            }
        }
        #expect(take(100, at: 0, isSteady: false) == nil)
        #expect(take(100.2, at: 1, isSteady: false) == Usage(cpu: 0.2, percent: 20, steady: 0))
        #expect(take(100.7, at: 2, isSteady: true) == Usage(cpu: 0.5, percent: 50, steady: 1))
        #expect(take(nil, at: 3, isSteady: true) == nil)
        #expect(take(101.5, at: 4, isSteady: true) == Usage(cpu: 0.8, percent: 40, steady: 1))
        // The last reading of the window fails: the next one tells what the window used.
        #expect(take(nil, at: 5, isSteady: true) == nil)
        #expect(take(102.1, at: 6, isSteady: false) == Usage(cpu: 0.3, percent: 30, steady: 1))
        // The server was started again.
        #expect(take(0.4, at: 7, isSteady: true) == Usage(cpu: 0.4, percent: 40, steady: 1))
        #expect(accounting.resets == 1 && accounting.notes.count == 1)
        // The time stands still.
        #expect(take(9, at: 7, isSteady: true) == nil)
    }

    /// Time without a reading is not time without work.
    @Test func unreadStatisticsAreNoIdleTime() throws {
        var statistics = StatAccounting()
        var usage = AccountedUsage()
        func take(_ cpu: Double?, at seconds: Double, isSteady: Bool = true) {
            let reading = cpu.map {
                StatReading(cpuSeconds: $0, rssBytes: 7, atNanoseconds: Int64(seconds * 1e9))
            }
            if isSteady { usage.steadySeconds += 1 }
            let row = statistics.receive(reading, runID: "r", time: seconds, isSteady: isSteady)
            if let row { usage.rows.append(row) }
        }
        take(nil, at: 0, isSteady: false)
        take(10, at: 1)
        take(10.5, at: 2)
        take(11, at: 3)
        #expect(statistics.unreadSeconds == 1)
        take(nil, at: 4)
        #expect(statistics.unreadSeconds == 2)
        #expect(statistics.notes.contains { $0.contains("2.0 s of the steady window") })
        usage.unreadSeconds = statistics.unreadSeconds
        let percent = try #require(usage.roleUsage.first).cpuPercent
        #expect(abs(percent - 50) < 1e-6)
    }

    @Test func busiestThreads() {
        var peaks = ThreadPeaks()
        func add(_ role: String, _ tid: Int32, _ milliseconds: Int64, interval: Double = 1) {
            peaks.add(
                .init(pid: 1, startTicks: 2, tid: tid), role: role, process: "p",
                thread: "t-\(tid)", cpuNanoseconds: milliseconds * 1_000_000, interval: interval)
        }
        add("server", 1, 100)
        add("server", 1, 300, interval: 0.5)
        add("server", 2, 399)
        add("server", 3, 0)
        add("viewers", 4, 10)
        let busiest = peaks.busiest(over: 2)
        #expect(
            busiest == [
                BusyThread(
                    role: "server", process: "p", thread: "t-1", cpuPercent: 20, peakPercent: 60,
                    threads: 2),
                BusyThread(
                    role: "viewers", process: "p", thread: "t-4", cpuPercent: 0.5, peakPercent: 1,
                    threads: 1),
            ])
    }

    @Test func threadsAreBounded() {
        var peaks = ThreadPeaks()
        for tid in 0..<Int32(ThreadPeaks.limit) + 10 {
            peaks.add(
                .init(pid: 1, startTicks: 2, tid: tid), role: "server", process: "", thread: "t",
                cpuNanoseconds: 1, interval: 1)
        }
        #expect(peaks.busiest(over: 1).map(\.threads) == [ThreadPeaks.limit])
    }

    @Test func readsItself() throws {
        let snapshot = try #require(ProcessSnapshot(pid: getpid()))
        #expect(snapshot.rssBytes > 1_000_000)
        #expect(snapshot.threads[getpid()] != nil)
        #expect(snapshot.threads.values.reduce(0) { $0 + $1.counters.cpuNanoseconds } > 0)
    }
}
