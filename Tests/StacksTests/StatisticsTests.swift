import HTTPFetch
import Foundation
import Glibc
import Scenario
import Sockets
import TestSupport
import Testing

@testable import Processes
@testable import Stacks

/// The CPU time of servers that this run did not start.
@Suite(.timeLimit(.minutes(1))) struct StatisticsTests {
    static let page = """
        # HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
        # TYPE process_cpu_seconds_total counter
        process_cpu_seconds_total 12.5
        process_resident_memory_bytes 3.5e+07 1395066363000

        namedprocess_cpu{group="a",mode="user"} 1
        namedprocess_cpu{group="}\\"x{",mode="system"} 2.25
        broken NaN
        negative -1
        words many
        endless{a="b
          indented 4\r
        huge{a="1"} 1.7e308
        huge{a="2"} 1.7e308
        infinite +Inf
        """

    @Test(
        arguments: [
            ("process_cpu_seconds_total", 12.5), ("process_resident_memory_bytes", 3.5e7),
            ("namedprocess_cpu", 3.25), ("indented", 4),
        ])
    func sums(metric: String, sum: Double) throws {
        #expect(try PrometheusPage(text: Self.page).sum(of: metric) == sum)
    }

    @Test(
        arguments: [
            ("process_cpu_second_total", "did you mean 'process_cpu_seconds_total'?"),
            ("broken", "not a number"), ("negative", "not a number"), ("words", "'many'"),
            ("endless", "not a number"), ("namedprocess", "no metric namedprocess"),
            ("huge", "too large"), ("infinite", "not a number"),
        ])
    func faults(metric: String, words: String) {
        let fault = #expect(throws: PrometheusPage.Fault.self) {
            try PrometheusPage(text: Self.page).sum(of: metric)
        }
        #expect(fault?.description.contains(words) == true, "\(fault?.description ?? "")")
    }

    @Test func emptyPage() {
        #expect(throws: PrometheusPage.Fault.self) { try PrometheusPage(text: "").sum(of: "a") }
    }

    private func makeDriver(
        _ server: OneShotServer, _ statistics: ServerStatistics
    ) throws -> ExternalDriver {
        var accounting = ServerAccounting()
        accounting.statistics = statistics
        return try ExternalDriver(
            url: "rtmp://127.0.0.1:\(server.port)/live", httpURL: nil, accounting: accounting)
    }

    private func statistics(_ url: String, cpu: String? = nil) -> ServerStatistics {
        var statistics = ServerStatistics()
        statistics.url = url
        if let cpu { statistics.cpuMetric = cpu }
        return statistics
    }

    @Test func readsAPage() async throws {
        let server = try OneShotServer(body: Self.page)
        let driver = try makeDriver(server, statistics(server.url))
        _ = try await driver.start()
        #expect(await driver.hasStatistics)
        let reading = try #require(await driver.readStatistics())
        #expect(reading.cpuSeconds == 12.5 && reading.rssBytes == 35_000_000)
        #expect(reading.atNanoseconds > 0)
        #expect(await driver.notes == [])
    }

    /// Errors at the start name the key, and the metric that the page has.
    @Test(
        arguments: [
            (200, "x 1", "no metric process_cpu_seconds_total"), (404, page, "status 404"),
            (200, "process_cpu_seconds_totals 1", "did you mean 'process_cpu_seconds_totals'?"),
            (200, "process_cpu_seconds_total 1e300", "no CPU time in seconds"),
        ])
    func pagesThatCannotBeUsed(status: Int, body: String, words: String) async throws {
        let server = try OneShotServer(status: status, body: body)
        let driver = try makeDriver(server, statistics(server.url))
        let error = await #expect(throws: StackError.self) { try await driver.start() }
        let message = error?.message ?? ""
        #expect(message.contains("stack.stat") && message.contains(words), "\(message)")
    }

    @Test func aPageThatIsTooLong() async throws {
        let body = String(repeating: "#", count: StatReader.byteLimit + 1)
        let server = try OneShotServer(body: body)
        let driver = try makeDriver(server, statistics(server.url))
        let error = await #expect(throws: StackError.self) { try await driver.start() }
        #expect(error?.message.contains("longer than \(StatReader.byteLimit >> 20) MiB") == true)
    }

    /// A reading that fails in mid-run is counted, and the note says why.
    @Test func failuresAreCounted() async throws {
        let free = try #require(LocalPort.free())
        let reader = try StatReader(statistics("http://127.0.0.1:\(free)/metrics"))
        #expect(await reader.read() == nil)
        let silent = try OneShotServer(nil)
        let waiting = try StatReader(statistics(silent.url))
        #expect(await waiting.read() == nil)
        #expect(await reader.notes.first?.contains("1 of 1 readings") == true)
        #expect(await waiting.notes.first?.contains("no whole answer within") == true)
    }

    @Test(arguments: ["ftp://x", "http://no-such-host.invalid/"])
    func urlsThatCannotBeRead(url: String) async {
        await #expect(throws: FetchError.self) { try await StatReader(statistics(url)).begin() }
    }

    /// What is no HTTP, and an answer that breaks off, are faults.
    @Test(arguments: ["SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ""])
    func brokenAnswers(text: String) async throws {
        let server = try OneShotServer(Array(text.utf8))
        let reader = try StatReader(statistics(server.url))
        await #expect(throws: FetchError.self) { try await reader.begin() }
    }

    // MARK: Processes

    private func external(
        _ server: OneShotServer, _ change: (inout ServerAccounting) -> Void
    ) throws -> ExternalDriver {
        var accounting = ServerAccounting()
        change(&accounting)
        return try ExternalDriver(
            url: "rtmp://127.0.0.1:\(server.port)/live", httpURL: nil, accounting: accounting)
    }

    @Test func aProcessAndItsDescendants() async throws {
        let server = try OneShotServer(body: "")
        let child = try ChildProcess(
            name: "sh", .init(path: "/bin/sh", arguments: ["-c", "sleep 1000 & echo up; wait"]))
        for await _ in child.lines() { break }
        let driver = try external(server) { $0.pid = Int(child.pid) }
        _ = try await driver.start()
        try await eventually("the child and its sleep") { await driver.processes.count == 2 }
        let processes = await driver.processes
        #expect(processes.first?.pid == child.pid)
        let groups = driver.processGroups
        #expect(groups == [])
        _ = await child.terminate()
        let left = await driver.processes
        #expect(left == [])
        let notes = await driver.notes
        #expect(notes.first?.contains("ended during the run") == true)
    }

    /// A server that writes its number into a file anew is followed.
    @Test func aFileWithAProcessNumber() async throws {
        let server = try OneShotServer(body: "")
        let path = NSTemporaryDirectory() + "millrace-pid-\(UUID())"
        defer { unlink(path) }
        func start() throws -> ChildProcess {
            let child = try ChildProcess(
                name: "sleep", .init(path: "/bin/sleep", arguments: ["1000"]))
            try "\(child.pid)\n".write(toFile: path, atomically: true, encoding: .utf8)
            return child
        }
        let first = try start()
        let driver = try external(server) { $0.pidFile = path }
        _ = try await driver.start()
        #expect(await driver.processes.map(\.pid) == [first.pid])
        _ = await first.terminate()
        // The file may still have the old number for a while.
        #expect(await driver.processes == [])
        let second = try start()
        #expect(await driver.processes.map(\.pid) == [second.pid])
        #expect(await driver.notes.contains { $0.contains("took the place") })
        _ = await second.terminate()
    }

    @Test(
        arguments: [
            ("", "no process number"), ("nginx\n", "no process number"),
            ("-1", "no process number"),
            (String(repeating: "1", count: 100), "no process number"),
            ("99999999999", "no process number"), ("4194305", "there is no process 4194305"),
        ])
    func filesWithoutANumber(text: String, words: String) async throws {
        let server = try OneShotServer(body: "")
        let path = NSTemporaryDirectory() + "millrace-pid-\(UUID())"
        defer { unlink(path) }
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let driver = try external(server) { $0.pidFile = path }
        let error = await #expect(throws: StackError.self) { try await driver.start() }
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("stack.pid_file") == true)
    }

    @Test func wrongProcesses() async throws {
        let server = try OneShotServer(body: "")
        let missing = try external(server) { $0.pidFile = "/no/such/file" }
        let error = await #expect(throws: StackError.self) { try await missing.start() }
        #expect(error?.message.contains("cannot be read") == true)
        for pid in [getpid(), getppid()] {
            let own = try external(server) { $0.pid = Int(pid) }
            let error = await #expect(throws: StackError.self) { try await own.start() }
            #expect(error?.message.contains("is this run or has started it") == true)
        }
        let gone = try external(server) { $0.pid = 4_194_304 }
        let words = await #expect(throws: StackError.self) { try await gone.start() }
        #expect(words?.message.contains("there is no process 4194304") == true)
    }

    // MARK: Control groups

    /// Makes a hierarchy as the kernel shows it.
    private static func hierarchy(_ groups: [String: String]) throws -> String {
        let root = NSTemporaryDirectory() + "millrace-cgroup-\(UUID())"
        for (name, pids) in groups {
            let folder = name.isEmpty ? root : "\(root)/\(name)"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            try pids.write(
                toFile: "\(folder)/cgroup.procs", atomically: true, encoding: .utf8)
        }
        return root
    }

    @Test func membersOfAGroup() throws {
        // Version 2: the hierarchy is the root itself.
        let second = try Self.hierarchy([
            "": "", "system.slice": "", "system.slice/srv.service": "\(getpid())\n",
            "system.slice/srv.service/inner": "1\n99999999\nx\n\(getpid())\n",
        ])
        // Version 1: each controller has a hierarchy.
        let first = try Self.hierarchy(["cpuacct": "", "cpuacct/srv": "\(getpid())\n"])
        defer {
            for root in [first, second] { try? FileManager.default.removeItem(atPath: root) }
        }
        for name in [
            "system.slice/srv.service", "/system.slice/srv.service/",
            "\(second)/system.slice/srv.service",
        ] {
            let group = try ControlGroup(name, root: second)
            #expect(group.members.map(\.pid) == [1, getpid()])
        }
        for name in ["srv", "/srv", "cpuacct/srv", "\(first)/cpuacct/srv"] {
            #expect(try ControlGroup(name, root: first).members.map(\.pid) == [getpid()])
        }
    }

    @Test(
        arguments: [
            ("system.slice/srb.service", "did you mean 'system.slice/srv.service'?"),
            ("sistem.slice", "did you mean 'system.slice'?"),
            ("system.slice/srv.service/../x", "without"), ("zzzzzzzzzzzzz", "systemd-cgls"),
        ])
    func groupsThatDoNotExist(name: String, words: String) throws {
        let root = try Self.hierarchy([
            "": "", "system.slice": "", "system.slice/srv.service": "",
        ])
        defer { try? FileManager.default.removeItem(atPath: root) }
        let fault = #expect(throws: ControlGroup.Fault.self) {
            try ControlGroup(name, root: root)
        }
        #expect(fault?.description.contains(words) == true, "\(fault?.description ?? "")")
    }
}
