import Foundation
import Glibc
import Processes
import Testing

@Suite(.timeLimit(.minutes(1))) struct ChildProcessTests {
    static func shell(_ script: String, log: String? = nil) throws -> ChildProcess {
        try ChildProcess(
            name: "sh", .init(path: "/bin/sh", arguments: ["-c", script], logPath: log))
    }

    static func isAlive(_ pid: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else {
            return false
        }
        return status.split(separator: ")").last?.split(separator: " ").first != "Z"
    }

    @Test func reportsExitStatus() async throws {
        #expect(await (try Self.shell("exit 0")).wait() == .exited(0))
        #expect(await (try Self.shell("exit 7")).wait() == .exited(7))
        #expect(await (try Self.shell("kill -9 $$")).wait() == .signaled(9))
    }

    @Test func missingProgramIsAnError() {
        let error = #expect(throws: ProcessError.self) {
            try ChildProcess(name: "x", .init(path: "/no/such/program"))
        }
        #expect(error?.message.contains("is it installed") == true)
    }

    @Test func echoesLines() async throws {
        let child = try ChildProcess(name: "cat", .init(path: "/bin/cat"))
        try child.write(Array("one\ntwo\n".utf8))
        child.closeInput()
        var lines: [String] = []
        for await case .line(let bytes) in child.lines() {
            lines.append(String(decoding: bytes, as: UTF8.self))
        }
        #expect(lines == ["one", "two"])
        #expect(await child.wait().isSuccess)
        #expect(throws: ProcessError.self) { try child.write([0]) }
    }

    @Test func terminatesTheWholeGroup() async throws {
        let child = try Self.shell(
            "sleep 100 & trap '' TERM; echo $!; while :; do sleep 0.05; done")
        var grandchild: Int32 = 0
        for await case .line(let bytes) in child.lines() {
            grandchild = Int32(String(decoding: bytes, as: UTF8.self))!
            break
        }
        #expect(Self.isAlive(grandchild))
        #expect(await child.terminate(grace: .milliseconds(200)) == .signaled(9))
        while Self.isAlive(grandchild) { try await Task.sleep(for: .milliseconds(5)) }
        #expect(!Self.isAlive(child.pid))
    }

    @Test func standardErrorGoesToTheLog() async throws {
        let log = NSTemporaryDirectory() + "millrace-log-\(UUID())"
        defer { unlink(log) }
        _ = await (try Self.shell("echo broken >&2", log: log)).wait()
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "broken\n")
    }

    @Test func childrenOutliveTheCallingThread() async throws {
        let children = try await withThrowingTaskGroup(of: ChildProcess.self) { group in
            for _ in 0..<8 { group.addTask { try Self.shell("exec sleep 100") } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await Task.sleep(for: .milliseconds(300))
        #expect(children.allSatisfy { $0.exitStatus == nil })
        for child in children { _ = await child.terminate() }
    }

    @Test func aKilledLeaderTakesItsGroupAlong() async throws {
        let child = try Self.shell("sleep 100 & echo $!; wait")
        var worker: Int32 = 0
        for await case .line(let bytes) in child.lines() {
            worker = Int32(String(decoding: bytes, as: UTF8.self))!
            break
        }
        kill(child.pid, SIGKILL)
        #expect(await child.wait() == .signaled(9))
        while Self.isAlive(worker) { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// The exit test's body runs in a process of its own, which is then killed.
    @Test func aKilledRunnerLeavesNoChild() async throws {
        let note = NSTemporaryDirectory() + "millrace-orphans-\(getpid())"
        defer { unlink(note) }
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let plain = try ChildProcess(
                name: "plain", .init(path: "/bin/sleep", arguments: ["100"]))
            // As nginx: a leader with a worker that a parent-death signal does not reach.
            var options = ChildProcess.Options(
                path: "/bin/sh", arguments: ["-c", "sleep 100 & echo $!; wait"])
            options.guardsGroup = true
            let guarded = try ChildProcess(name: "guarded", options)
            for await case .line(let bytes) in guarded.lines() {
                let worker = String(decoding: bytes, as: UTF8.self)
                try "\(plain.pid) \(guarded.pid) \(worker)".write(
                    toFile: NSTemporaryDirectory() + "millrace-orphans-\(getppid())",
                    atomically: true, encoding: .utf8)
                break
            }
            kill(getpid(), SIGKILL)
        }
        let pids = try String(contentsOfFile: note, encoding: .utf8).split(separator: " ")
            .compactMap { Int32($0) }
        #expect(pids.count == 3)
        for pid in pids {
            while Self.isAlive(pid) { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    @Test func longLinesEndTheStream() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let text = "short\n" + String(repeating: "x", count: 100) + "\nshort\n"
        _ = text.withCString { write(ends[1], $0, strlen($0)) }
        close(ends[1])
        var events: [LineReader.Event] = []
        LineReader(descriptor: ends[0], limit: 50).forEach { events.append($0) }
        close(ends[0])
        #expect(events == [.line(Array("short".utf8)), .tooLong])
    }
}
