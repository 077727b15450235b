import Foundation
import Glibc
import Scenario
import Sockets
import TestSupport
import Testing

@testable import Processes
@testable import Stacks

/// Servers that a command line starts.
@Suite(.timeLimit(.minutes(2))) struct CommandDriverTests {
    /// A directory like that of a run.
    private static func makeDirectory() throws -> String {
        let path = NSTemporaryDirectory() + "millrace-command-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        return path
    }

    private static func withDirectory(
        isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Void
    ) async throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory)
    }

    private static func entries(_ directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }

    private static func isGone(_ pids: [Int32]) -> Bool {
        pids.allSatisfy { ProcessIdentity(pid: $0) == nil }
    }

    /// The server runs as a grandchild in a session of its own beside a shell that waits, and all of
    /// it is accounted and ended.
    @Test(.enabled(if: Programs.millrace != nil, "millrace is not built"))
    func startsAndEndsATree() async throws {
        let program = try #require(Programs.millrace)
        try await Self.withDirectory { directory in
            var options = CommandDriver.Options(
                command: [
                    "sh", "-c",
                    "setsid \"$0\" serve --quiet --rtmp-port $RTMP --http-port {http_port} & wait",
                    program,
                ], runDirectory: directory)
            options.environment = [NamedText(name: "RTMP", text: "{rtmp_port}")]
            options.files = [
                NamedText(name: "conf/a.conf", text: "{dir} {rtmp_port} {x} {threads}\n")
            ]
            options.threads = 3
            options.httpURL = "http://127.0.0.1:{http_port}/live/"
            options.hlsURL = "http://127.0.0.1:{http_port}/hls/{stream}.m3u8"
            options.readiness.within = .seconds(60)
            let driver = CommandDriver(options)
            let endpoints = try await driver.start()
            #expect(LocalPort.accepts(host: endpoints.rtmpHost, port: endpoints.rtmpPort))
            #expect(endpoints.application == "live")
            #expect(endpoints.httpFLVBase?.hasSuffix("/live") == true)
            #expect(endpoints.hlsURL?.hasSuffix("/hls/{stream}.m3u8") == true)
            let text = try String(
                contentsOfFile: "\(directory)/server/conf/a.conf", encoding: .utf8)
            #expect(text == "\(directory)/server \(endpoints.rtmpPort) {x} 3\n")
            let pids = await driver.processes.map(\.pid)
            #expect(pids.count >= 2)
            #expect(await driver.exitStatus == nil)
            await driver.stop()
            #expect(Self.isGone(pids))
            #expect(!LocalPort.accepts(host: endpoints.rtmpHost, port: endpoints.rtmpPort))
            #expect(!Self.entries(directory).contains("server"))
            #expect(await driver.processes == [])
        }
    }

    @Test(.enabled(if: Programs.millrace != nil, "millrace is not built"))
    func waitsForAURL() async throws {
        let program = try #require(Programs.millrace)
        try await Self.withDirectory { directory in
            var options = CommandDriver.Options(
                command: [
                    program, "serve", "--quiet", "--rtmp-port", "{rtmp_port}", "--http-port",
                    "{http_port}",
                ], runDirectory: directory)
            options.readiness.url = "http://127.0.0.1:{http_port}/metrics"
            options.readiness.within = .seconds(60)
            options.keepsDirectory = true
            options.files = [NamedText(name: "a", text: "b")]
            let driver = CommandDriver(options)
            let endpoints = try await driver.start()
            #expect(LocalPort.accepts(host: "127.0.0.1", port: endpoints.rtmpPort))
            await driver.stop()
            #expect(Self.entries("\(directory)/server-files") == ["a"])
        }
    }

    /// The error has the program's own words, and nothing is left.
    @Test func aCommandThatEndsAtOnce() async throws {
        try await Self.withDirectory { directory in
            let driver = CommandDriver(
                .init(
                    command: ["sh", "-c", "echo first; echo broken pipe >&2; exit 4"],
                    runDirectory: directory))
            let error = await #expect(throws: StackError.self) { try await driver.start() }
            let message = error?.message ?? ""
            #expect(message.contains("it exited with status 4 before it was ready"), "\(message)")
            #expect(message.contains("first | broken pipe"), "\(message)")
            await driver.stop()
            #expect(Self.entries(directory) == ["server-0.log"])
            let log = try String(contentsOfFile: "\(directory)/server-0.log", encoding: .utf8)
            #expect(log == "first\nbroken pipe\n")
        }
    }

    @Test(
        arguments: [
            (.rtmp, "nothing listens on 127.0.0.1:"),
            (.number(1), "nothing listens on 127.0.0.1:1"),
        ] as [(ServerReadiness.Port, String)])
    func aCommandThatNeverListens(port: ServerReadiness.Port, words: String) async throws {
        try await Self.withDirectory { directory in
            var options = CommandDriver.Options(
                command: ["sh", "-c", "echo waiting; setsid sleep 1000 & echo $! >&2; wait"],
                runDirectory: directory)
            options.readiness.port = port
            options.readiness.within = .seconds(1)
            let driver = CommandDriver(options)
            let error = await #expect(throws: StackError.self) { try await driver.start() }
            let message = error?.message ?? ""
            #expect(
                message.contains("not ready within 1s") && message.contains(words), "\(message)")
            #expect(message.contains("within: 60s") && message.contains("waiting"), "\(message)")
            // The driver itself has ended the server, which is no end of the server's own.
            #expect(await driver.exitStatus == nil)
            let log = try String(contentsOfFile: "\(directory)/server-0.log", encoding: .utf8)
            let pid = try #require(log.split(separator: "\n").compactMap { Int32($0) }.first)
            #expect(Self.isGone([pid]))
        }
    }

    /// An interrupted run does not wait for a server that needs long.
    @Test func aStartThatIsCancelled() async throws {
        try await Self.withDirectory { directory in
            var options = CommandDriver.Options(
                command: ["sh", "-c", "sleep 1000"], runDirectory: directory)
            options.readiness.within = .seconds(600)
            let driver = CommandDriver(options)
            let start = Task { await Self.message { _ = try await driver.start() } }
            try await eventually("the command runs") { await !driver.processes.isEmpty }
            await driver.cancelStart()
            let message = await start.value
            #expect(message.contains("interrupted"), "\(message)")
            #expect(await driver.processes == [])
        }
    }

    /// The text of the error that a function throws; empty if it throws none.
    private static func message(_ body: () async throws -> Void) async -> String {
        do {
            try await body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func missingAndForbiddenPrograms() async throws {
        try await Self.withDirectory { directory in
            let missing = CommandDriver(
                .init(command: ["no-such-server"], runDirectory: directory))
            let error = await #expect(throws: StackError.self) { try await missing.start() }
            #expect(error?.message.contains("no program 'no-such-server'; install it") == true)
            let path = "\(directory)/text"
            try "x".write(toFile: path, atomically: true, encoding: .utf8)
            let forbidden = CommandDriver(.init(command: [path], runDirectory: directory))
            let words = await #expect(throws: StackError.self) { try await forbidden.start() }
            #expect(words?.message.contains("chmod +x") == true)
        }
    }

    @Test func aURLThatCannotWork() async throws {
        try await Self.withDirectory { directory in
            var options = CommandDriver.Options(command: ["sleep"], runDirectory: directory)
            options.url = "rtmp://127.0.0.1:{rtmp_port}"
            let driver = CommandDriver(options)
            let error = await #expect(throws: StackError.self) { try await driver.start() }
            #expect(error?.message.contains("lacks the application") == true)
            await driver.stop()
            #expect(Self.entries(directory) == [])
        }
    }

    /// A log that cannot be written is told of.
    @Test func outputWithoutALog() async throws {
        var options = ChildProcess.Options(path: "/bin/sh", arguments: ["-c", "echo words"])
        options.mergesOutput = true
        let child = try ChildProcess(name: "sh", options)
        let output = ServerOutput(
            try #require(child.takeOutput()), logPath: "/no/such/directory/server.log")
        #expect(await child.wait() == .exited(0))
        try await eventually("all output was read") { output.lastWords == "words" }
        let note = output.note ?? ""
        #expect(note.contains("6 bytes") && note.contains("No such file"), "\(note)")
    }

    /// A server that writes without end is read without end, and only the last lines are kept.
    @Test func outputIsBounded() async throws {
        let path = NSTemporaryDirectory() + "millrace-output-\(UUID())"
        defer { unlink(path) }
        let bytes = ServerOutput.logLimit + 1_000_000
        var options = ChildProcess.Options(
            path: "/bin/sh",
            arguments: ["-c", "head -c \(bytes) /dev/zero | tr '\\0' x; echo; echo last"])
        options.mergesOutput = true
        let child = try ChildProcess(name: "sh", options)
        let output = ServerOutput(try #require(child.takeOutput()), logPath: path)
        #expect(await child.wait() == .exited(0))
        try await eventually("all output was read") { output.lastWords.hasSuffix("| last") }
        #expect(output.lastWords.utf8.count <= ServerOutput.tailLimit + 8)
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        #expect(size == ServerOutput.logLimit)
        #expect(output.note?.contains("1000006 bytes") == true, "\(output.note ?? "")")
    }
}
