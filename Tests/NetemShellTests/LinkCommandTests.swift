import Foundation
import Glibc
import Processes
import Sockets
import TestSupport
import Testing

@testable import NetemShell

@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct LinkUsageTests {
    @Test(
        arguments: [
            (["--down", "2Mbs", "--", "true"], 2, "did you mean 'Mbps'"),
            (["--down", "0Mbps", "--", "true"], 2, "more than 0"),
            (["--down", "2Mbps", "--delay=-5ms", "--", "true"], 2, "0 or more"),
            (["--down", "2Mbps", "--loss", "200%", "--", "true"], 2, "0% to 100%"),
            (["--down", "2Mbps", "--queue", "droptal:64KB", "--", "true"], 2, "'droptail'"),
            (["--profile", "ltee", "--", "true"], 2, "did you mean 'lte'"),
            (["--profile", "lte", "--down", "2Mbps", "--", "true"], 2, "--profile"),
            (["--down", "2Mbps"], 2, "name a program after '--'"),
            (["--", "true"], 2, "--down"),
            (["--down", "/nonexistent.trace", "--", "true"], 104, "/nonexistent.trace"),
            (["--replay", "/nonexistent.csv"], 104, "/nonexistent.csv"),
        ] as [([String], Int32, String)])
    func refusals(arguments: [String], code: Int32, words: String) throws {
        let result = try LinkProgram(arguments).finish()
        #expect(result.code == code, "\(result.errors)")
        #expect(result.errors.contains(words), "\(result.errors)")
    }

    @Test func badTraceIsNamedWithItsLine() throws {
        let path = NSTemporaryDirectory() + "millrace-\(UUID().uuidString).trace"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "5\n3\n".write(toFile: path, atomically: true, encoding: .utf8)
        let result = try LinkProgram.run("--down", path, "--", "true")
        #expect(result.code == 104 && result.errors.contains("\(path):2:"), "\(result.errors)")
    }
}

/// Programs run behind real links. The tests need root, for the way to this machine.
@Suite(
    .enabled(
        if: Programs.millrace != nil && isShellAvailable, "needs millrace, root and /dev/net/tun"),
    .serialized, .timeLimit(.minutes(2)))
struct LinkCommandTests {
    @Test(
        arguments: [
            (["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137),
            (["sh", "-c", "kill -TERM $$"], 143), (["no-such-program"], 127),
            (["/etc/passwd"], 126),
        ] as [([String], Int32)])
    func exitCodes(command: [String], code: Int32) throws {
        let result = try LinkProgram(["--down", "10Mbps", "-q", "--"] + command).finish()
        #expect(result.code == code, "\(result.errors)")
    }

    /// The first signal is passed on to the program, which may handle it.
    @Test func signalsReachTheProgram() throws {
        let link = try LinkProgram([
            "--down", "10Mbps", "-q", "--", "sh", "-c",
            "trap 'echo stopped; exit 9' INT; echo ready; while :; do sleep 0.05; done",
        ])
        #expect(link.line() == "ready")
        kill(link.process.processIdentifier, SIGINT)
        #expect(link.line() == "stopped")
        #expect(try link.finish().code == 9)
    }

    /// The second signal kills a program that ignores the first.
    @Test func secondSignalKills() throws {
        let link = try LinkProgram([
            "--down", "10Mbps", "-q", "--", "sh", "-c",
            "trap 'echo first' TERM; echo ready; while :; do sleep 0.05; done",
        ])
        #expect(link.line() == "ready")
        kill(link.process.processIdentifier, SIGTERM)
        #expect(link.line() == "first")
        kill(link.process.processIdentifier, SIGINT)
        #expect(try link.finish().code == 128 + SIGKILL)
    }

    /// `timeout` sends its signal to the program and then to the group: that counts as one signal.
    @Test func repeatedSignalIsOne() throws {
        let link = try LinkProgram([
            "--down", "10Mbps", "-q", "--", "sh", "-c",
            "trap 'echo first; sleep 0.3; exit 9' TERM; echo ready; while :; do sleep 0.05; done",
        ])
        #expect(link.line() == "ready")
        kill(link.process.processIdentifier, SIGTERM)
        kill(link.process.processIdentifier, SIGTERM)
        #expect(link.line() == "first")
        kill(link.process.processIdentifier, SIGTERM)
        #expect(try link.finish().code == 9)
    }

    /// A process that the program left in the background ends with it.
    @Test func nothingOutlivesTheProgram() throws {
        let marker = "4\(Int.random(in: 10_000...99_999))"
        let result = try LinkProgram.run(
            "--down", "10Mbps", "-q", "--", "sh", "-c", "setsid sleep \(marker) & exit 0")
        #expect(result.code == 0)
        #expect(!LinkProgram.isRunning(marker))
    }

    @Test func killedLinkIsSweptByTheNext() throws {
        let marker = "4\(Int.random(in: 10_000...99_999))"
        let link = try LinkProgram([
            "--down", "10Mbps", "-q", "--", "sh", "-c",
            "echo $MILLRACE_GATEWAY; setsid sleep \(marker) & sleep \(marker)",
        ])
        let gateway = try #require(link.line())
        #expect(LinkProgram.eventually { LinkProgram.isRunning(marker) })
        let device = try #require(deviceName(at: gateway))
        #expect(!notes(of: device).isEmpty)
        kill(link.process.processIdentifier, SIGKILL)
        link.process.waitUntilExit()
        // The kernel removes processes and device; the next link undoes the other changes.
        #expect(LinkProgram.eventually { !LinkProgram.isRunning(marker) })
        #expect(LinkProgram.eventually { access("/sys/class/net/\(device)", F_OK) != 0 })
        #expect(try LinkProgram.run("--down", "10Mbps", "-q", "--", "true").code == 0)
        #expect(notes(of: device).isEmpty)
        if let nft = Program.find("nft") {
            #expect(!Program.succeeds(nft, ["list table ip \(device)"]))
        }
    }

    /// The note of a link without a namespace is removed too; the note of a living owner stays.
    @Test func notesOfGoneNamespacesAreSwept() throws {
        try #require(LinkProgram.run("--down", "10Mbps", "-q", "--", "true").code == 0)
        let directory = "/run/millrace/links"
        // No namespace has this number, and no process this start time.
        let gone = "\(directory)/1-millrace63"
        let owned = "\(directory)/1-millrace62"
        let stat = try #require(ProcFile.read("/proc/self/stat"))
        let started = stat[try #require(stat.lastIndex(of: ")"))...].split(separator: " ")[20]
        #expect(SystemFiles.write(gone, "1 0 100.64.0.252/30  \n", creating: 0o644))
        #expect(
            SystemFiles.write(
                owned, "\(getpid()) \(started) 100.64.0.248/30  \n", creating: 0o644))
        defer { unlink(owned) }
        try #require(LinkProgram.run("--down", "10Mbps", "-q", "--", "true").code == 0)
        #expect(access(gone, F_OK) != 0 && access(owned, F_OK) == 0)
    }

    /// Returns the interface with this address.
    private func deviceName(at gateway: String) -> String? {
        (0..<64).map { "millrace\($0)" }.first { name in
            let k = UInt32(name.dropFirst("millrace".count)) ?? 0
            return IPv4Address(100, 64, 0, 1).advanced(by: 4 * k).description == gateway
                && access("/sys/class/net/\(name)", F_OK) == 0
        }
    }

    private func notes(of device: String) -> [String] {
        SystemFiles.list("/run/millrace/links").filter { $0.hasSuffix("-\(device)") }
    }

    /// Runs a web server on this machine with a file of `bytes` bytes, at a port that the kernel
    /// picks.
    private func serving(
        _ make: (String) throws -> Void,
        _ body: (_ directory: String, _ port: String) throws -> Void
    ) throws {
        let directory = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try make(directory)
        let server = Process()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        server.arguments = ["python3", "-u", "-m", "http.server", "0", "--bind", "0.0.0.0"]
        server.currentDirectoryURL = URL(fileURLWithPath: directory)
        let output = Pipe()
        server.standardOutput = output
        server.standardError = FileHandle.nullDevice
        try server.run()
        defer {
            // Children of test threads have SIGTERM blocked.
            kill(server.processIdentifier, SIGKILL)
            server.waitUntilExit()
        }
        // The server prints "Serving HTTP on 0.0.0.0 port 12345 (http://…) ...".
        let said = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let words = said.split(separator: " ")
        let place = try #require(words.firstIndex(of: "port"), "\(said)")
        let port = words[place + 1]
        try body(directory, String(port))
    }

    @Test(
        .enabled(
            if: Shell.has("curl") && Shell.has("python3"),
            "needs curl and python3"))
    func curlDownloadsAndItsLogReplays() throws {
        try serving({
            try Data(repeating: 3, count: 300_000).write(to: URL(fileURLWithPath: "\($0)/file"))
        }) { directory, port in
            let result = try LinkProgram.run(
                "--down", "8Mbps", "--up", "1Mbps", "--delay", "10ms±2ms", "--queue",
                "droptail:20KB", "--loss", "1%", "--seed", "5", "--log", "\(directory)/run", "--",
                "sh", "-c",
                "curl -sS -o got -w '%{size_download}' http://$MILLRACE_GATEWAY:\(port)/file",
                in: directory)
            #expect(result.code == 0, "\(result.errors)")
            #expect(result.output == "300000")
            for direction in ["down", "up"] {
                let replay = try LinkProgram.run("--replay", "\(directory)/run.\(direction).csv")
                #expect(replay.code == 0, "\(replay.output)\(replay.errors)")
                #expect(replay.output.contains("mismatches: 0"))
            }
            let other = try LinkProgram.run(
                "--replay", "\(directory)/run.down.csv", "--delay", "11ms")
            #expect(other.code == 99)
            // A failure of the program is not a failure of the link.
            let failed = try LinkProgram.run(
                "--profile", "cable", "-q", "--", "sh", "-c",
                "curl -sf -o missing http://$MILLRACE_GATEWAY:\(port)/none")
            #expect(failed.code == 22)
        }
    }

    @Test(
        .enabled(
            if: Shell.has("ffmpeg") && Shell.has("python3"),
            "needs ffmpeg and python3"))
    func ffmpegReadsThroughTheLink() throws {
        try serving({ directory in
            let ffmpeg = try #require(Program.find("ffmpeg"))
            let made = Program.succeeds(
                ffmpeg,
                [
                    "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-t", "3",
                    "-f", "flv", "\(directory)/clip.flv",
                ])
            #expect(made)
        }) { _, port in
            let result = try LinkProgram.run(
                "--profile", "lte", "-q", "--", "sh", "-c",
                "ffmpeg -v error -nostats -progress - -i http://$MILLRACE_GATEWAY:\(port)/clip.flv -f null - </dev/null"
            )
            #expect(result.code == 0, "\(result.errors)")
            #expect(result.output.contains("frame=30"), "\(result.output)")
        }
    }

    @Test(.enabled(if: Shell.has("iperf3"), "needs iperf3"))
    func iperfRuns() throws {
        let port = try #require(LocalPort.free())
        let server = Process()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        server.arguments = ["iperf3", "-s", "-1", "-p", "\(port)"]
        server.standardOutput = FileHandle.nullDevice
        server.standardError = FileHandle.nullDevice
        try server.run()
        defer {
            // Children of test threads have SIGTERM blocked.
            kill(server.processIdentifier, SIGKILL)
            server.waitUntilExit()
        }
        let result = try LinkProgram.run(
            "--down", "5Mbps", "--delay", "5ms", "--queue", "droptail:64KB", "-q", "--", "sh", "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10; do iperf3 -c $MILLRACE_GATEWAY -p \(port) -R -n 200K >out.$$ 2>&1 && exit 0; sleep 0.2; done; cat out.$$; exit 1",
            in: NSTemporaryDirectory())
        #expect(result.code == 0, "\(result.output)")
    }
}
