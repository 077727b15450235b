import SimulationKernel
import Processes
import Foundation
import Glibc
import Statistics
import Testing

@testable import Harness

@Suite(.timeLimit(.minutes(1))) struct ProcessTests {
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

    struct Config: Codable, Sendable { var name: String }
    typealias Python = Worker<Config, Empty, DelayHistogram, Config>

    static let python = """
        import sys, json
        for line in sys.stdin:
            message = json.loads(line)
            if "config" in message:
                config = message["config"]
                print(json.dumps({"ready": {}}), flush=True)
            elif "start" in message:
                assert message["start"]["monotonicNanoseconds"] == 5
                print("not a report", flush=True)
                h = {"values": [1000000, 3], "negative": 1, "max": 1000000, "sum": 3e6}
                print(json.dumps({"interval": h}), flush=True)
            elif "window" in message:
                print(json.dumps({"failed": {"message": "odd"}}), flush=True)
            elif "stop" in message:
                print(json.dumps({"final": config}), flush=True)
                sys.exit(3)
        """

    @Test func workerProtocol() async throws {
        let worker = try Python(
            name: "python", .init(path: "/usr/bin/python3", arguments: ["-c", Self.python]),
            config: Config(name: "a"))
        var seen: [String] = []
        for await event in worker.events() {
            switch event {
            case .report(.ready):
                seen.append("ready")
                try worker.send(.start(monotonicNanoseconds: 5))
            case .garbled(let text): seen.append(text)
            case .partial: seen.append("part")
            case .report(.interval(let histogram)):
                seen.append("interval \(histogram.count) \(histogram.negativeCount)")
                try worker.send(.window(Window(startNanoseconds: 0, endNanoseconds: 1)))
            case .report(.failed(let message)):
                seen.append(message)
                try worker.send(.stop)
            case .report(.final(let config)): seen.append("final \(config.name)")
            case .ended(let status): seen.append("\(status)")
            }
        }
        #expect(
            seen == [
                "ready", "not a report", "interval 3 1", "odd", "final a", "exited with status 3",
            ])
    }

    /// Messages of any length pass the pipe in both directions.
    @Test func longMessages() async throws {
        let name = String(repeating: "x", count: 20 << 20)
        let script = """
            import sys
            lines = []
            for line in sys.stdin:
                lines.append(line)
                if line[0] == "=": break
            sys.stdout.write("".join(lines))
            """
        let worker = try Worker<Config, Config, Empty, Config>(
            name: "python",
            .init(
                path: "/usr/bin/python3",
                arguments: ["-c", script]),
            config: Config(name: name))
        var parts = 0
        var said: [String] = []
        for await event in worker.events() {
            switch event {
            case .partial: parts += 1
            // The echo of a command is no report.
            case .garbled(let text): said.append(text)
            case .ended(let status): said.append("\(status)")
            case .report: Issue.record("a report")
            }
        }
        #expect(parts == 20)
        #expect(said.first?.hasPrefix(#"{"config":{"name":"xxx"#) == true)
        #expect(said.last == "exited with status 0")
    }

    @Test func messagesRoundTripAsOneKeyObjects() throws {
        typealias Command = WorkerCommand<Config>
        let line = try WorkerLine.encode(Command.stop, name: "t")
        #expect(String(decoding: line, as: UTF8.self) == "{\"stop\":{}}\n")
        let start: Command? = WorkerLine.decode(
            Array(#"{"start":{"monotonicNanoseconds":12}}"#.utf8))
        guard case .start(12)? = start else { Issue.record("not a start"); return }
        let unknown: Command? = WorkerLine.decode(Array(#"{"dance":{}}"#.utf8))
        #expect(unknown == nil)
    }

    @Test func channelEndsWithItsInput() async throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let text = #"{"config":{"name":"b"}}"# + "\n"
        _ = text.withCString { write(ends[1], $0, strlen($0)) }
        close(ends[1])
        let channel = WorkerChannel<Config, Empty, Empty, Empty>(input: ends[0], output: 1)
        var names: [String] = []
        for await case .config(let config) in channel.commands() { names.append(config.name) }
        close(ends[0])
        #expect(names == ["b"])
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
