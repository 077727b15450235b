import Foundation
import Glibc
import Processes
import Results
import Testing

@testable import Analysis
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

    @Test func readsItself() throws {
        let snapshot = try #require(ProcessSnapshot(pid: getpid()))
        #expect(snapshot.rssBytes > 1_000_000)
        #expect(snapshot.threads[getpid()] != nil)
        #expect(snapshot.threads.values.reduce(0) { $0 + $1.counters.cpuNanoseconds } > 0)
    }
}
