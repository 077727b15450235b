import Foundation
import Glibc
import TestSupport
import Testing

@testable import Processes

/// Checks that a keeper ends every descendant of a program, wherever the descendant went.
@Suite(
    .enabled(
        if: FileManager.default.fileExists(atPath: "/usr/bin/setsid"), "apt-get install util-linux"),
    .timeLimit(.minutes(1)))
struct KeeperTests {
    private static func keep(
        _ script: String, grace: Duration = .seconds(20)
    ) throws -> ChildProcess {
        var options = ChildProcess.Options(path: "/bin/sh", arguments: ["-c", script])
        options.treeGrace = grace
        options.mergesOutput = true
        return try ChildProcess(name: "kept", options)
    }

    /// Reads process numbers, one a line.
    private static func numbers(_ child: ChildProcess, count: Int) async throws -> [Int32] {
        var found: [Int32] = []
        for await case .line(let bytes) in child.lines() {
            found.append(try #require(Int32(String(decoding: bytes, as: UTF8.self))))
            if found.count == count { break }
        }
        return found
    }

    private static func expectGone(_ pids: [Int32]) async throws {
        try await eventually("\(pids) are gone") {
            pids.allSatisfy { ProcessIdentity(pid: $0) == nil }
        }
    }

    @Test func endsAGrandchildInASessionOfItsOwn() async throws {
        let child = try Self.keep("setsid sleep 1000 & echo $!; echo $$; exec sleep 1000")
        let pids = try await Self.numbers(child, count: 2)
        try await eventually("both are descendants") {
            Set(pids).isSubset(of: ProcessIdentity.descendants(of: child.pid).map(\.pid))
        }
        #expect(await child.terminate(grace: .seconds(40)) == .signaled(SIGTERM))
        try await Self.expectGone(pids)
    }

    /// A process that ignores SIGTERM is killed after the grace, and the keeper does not end first.
    @Test func killsWhatOutlastsTheGrace() async throws {
        let child = try Self.keep(
            "trap '' TERM; setsid sh -c 'echo $$; while :; do sleep 0.05; done' & "
                + "echo $$; while :; do sleep 0.05; done", grace: .milliseconds(100))
        let pids = try await Self.numbers(child, count: 2)
        #expect(await child.terminate(grace: .seconds(40)) == .signaled(SIGKILL))
        try await Self.expectGone(pids)
    }

    /// A program that ends at SIGTERM, as a shell that waits does, leaves its descendants their time.
    @Test func descendantsHaveTheGrace() async throws {
        let child = try Self.keep(
            "sh -c 'trap \"sleep 0.3; echo done; exit 0\" TERM; echo up; "
                + "while :; do sleep 0.05; done' & wait")
        var lines: [String] = []
        var ending: Task<Processes.ExitStatus, Never>?
        for await case .line(let bytes) in child.lines() {
            lines.append(String(decoding: bytes, as: UTF8.self))
            guard ending == nil else { continue }
            ending = Task { await child.terminate(grace: .seconds(40)) }
        }
        // A shell may tell in between that its sleep was terminated.
        #expect(lines.first == "up" && lines.last == "done", "\(lines)")
        let status = await ending?.value
        #expect(status == .signaled(SIGTERM))
    }

    /// `pkill -f` with the runner's name does not find the keeper.
    @Test func hasACommandLineOfItsOwn() async throws {
        let child = try Self.keep("exec sleep 1000")
        let text = ProcFile.read("/proc/\(child.pid)/cmdline") ?? ""
        #expect(text.prefix { $0 != "\0" } == "keeper")
        _ = await child.terminate(grace: .seconds(40))
    }

    /// A program that fails takes its descendants along, and its exit status is the keeper's.
    @Test func aProgramThatFailsEndsAll() async throws {
        let child = try Self.keep("setsid sleep 1000 & echo $!; exit 3")
        let pids = try await Self.numbers(child, count: 1)
        #expect(await child.wait() == .exited(3))
        try await Self.expectGone(pids)
    }

    /// A program that ends well may have become a daemon, so the keeper stays with the daemon.
    @Test func staysWithADaemon() async throws {
        let child = try Self.keep("setsid sleep 1000 & echo $!; exit 0")
        let pids = try await Self.numbers(child, count: 1)
        try await eventually("the daemon is the only descendant") {
            ProcessIdentity.descendants(of: child.pid).map(\.pid) == pids
        }
        #expect(child.exitStatus == nil)
        #expect(kill(pids[0], SIGKILL) == 0)
        #expect(await child.wait() == .signaled(SIGKILL))
    }

    /// The end of the input is the end of the runner.
    @Test func aClosedInputKillsAllAtOnce() async throws {
        let child = try Self.keep(
            "trap '' TERM; setsid sleep 1000 & echo $!; echo $$; while :; do sleep 0.05; done",
            grace: .seconds(1000))
        let pids = try await Self.numbers(child, count: 2)
        child.closeInput()
        #expect(await child.wait() == .signaled(SIGKILL))
        try await Self.expectGone(pids)
    }

    @Test func aMissingProgramIsAnError() {
        var options = ChildProcess.Options(path: "/no/such/program")
        options.treeGrace = .seconds(1)
        let error = #expect(throws: ProcessError.self) {
            try ChildProcess(name: "x", options)
        }
        #expect(error?.message.contains("is it installed") == true)
    }

    @Test func directoryAndMergedOutput() async throws {
        var options = ChildProcess.Options(
            path: "/bin/sh", arguments: ["-c", "pwd; echo broken >&2"])
        options.directory = "/"
        options.mergesOutput = true
        options.treeGrace = .seconds(1)
        let child = try ChildProcess(name: "sh", options)
        var lines: [String] = []
        for await case .line(let bytes) in child.lines() {
            lines.append(String(decoding: bytes, as: UTF8.self))
        }
        #expect(lines == ["/", "broken"])
        #expect(await child.wait() == .exited(0))
    }

    @Test func identities() throws {
        let own = try #require(ProcessIdentity(pid: getpid()))
        #expect(own.isAlive && own.startTicks > 0)
        #expect(!ProcessIdentity(pid: own.pid, startTicks: own.startTicks + 1).isAlive)
        #expect(ProcessIdentity(pid: 0) == nil)
        #expect(ProcessIdentity(pid: -1) == nil)
    }

    @Test func firstAndLastBytesOfAFile() throws {
        let path = NSTemporaryDirectory() + "millrace-bytes-\(UUID())"
        defer { unlink(path) }
        try Data("0123456789".utf8).write(to: URL(fileURLWithPath: path))
        #expect(WorkerFile.read(path, first: 3) == Array("012".utf8))
        #expect(WorkerFile.read(path, last: 3) == Array("789".utf8))
    }
}
