import Foundation
import Glibc
import Processes
import Sockets
import TestSupport
import Testing

@testable import Trials

/// Checks the output and the exit code of the program, which runs as a separate process.
@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct CommandTests {
    private func run(_ arguments: String...) async throws -> (code: Int32, text: String) {
        try Programs.run(arguments)
    }

    @Test(arguments: [
        ["view", "rtmp://127.0.0.1/live/a", "--rate", "1e-300"],
        ["view", "rtmp://127.0.0.1/live/a", "--rate", "nan"],
        ["view", "rtmp://127.0.0.1/live/a", "--rate-limit", "9223372036854775807"],
        ["publish", "rtmp://127.0.0.1/live/a", "--bitrate", "1"],
        ["publish", "rtmp://127.0.0.1/live/a", "--size", "99999999999x99999999999"],
        ["publish", "rtmp://127.0.0.1/live/a", "--size", "17x17"],
        ["serve", "--queue-limit", "1"],
        ["view", "http://127.0.0.1/a.m3u8", "--mode", "prompt"],
        ["edge", "--origin", "http://127.0.0.1/hls"],
    ]) func wrongUse(arguments: [String]) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Programs.millrace))
        process.arguments = arguments
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let data = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        #expect(process.terminationReason == .exit && process.terminationStatus == 2, "\(text)")
        // The message uses the names of options, and not those of the source code.
        #expect(!text.contains("impossibleSpec") && !text.contains("totalBitrate"), "\(text)")
        #expect(text.contains("--"), "\(text)")
    }

    /// For a host name that does not resolve, the message does not ask whether the server runs.
    @Test func unknownHost() async throws {
        let (code, text) = try await run(
            "publish", "rtmp://no-such-host.invalid/live/a", "--duration", "1")
        #expect(code == 1)
        #expect(text.contains("no-such-host.invalid"))
        #expect(!text.contains("is the server running"), "\(text)")
    }

    @Test func takenPortIsNamed() async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #expect(bind(listener, $0, size) == 0)
                #expect(listen(listener, 1) == 0)
                #expect(getsockname(listener, $0, &size) == 0)
            }
        }
        let port = "\(UInt16(bigEndian: address.sin_port))"
        let rtmp = try await run("serve", "--rtmp-port", port, "--no-http")
        #expect(rtmp.code == 1)
        #expect(rtmp.text.contains(":\(port) for RTMP") && rtmp.text.contains("--rtmp-port"))
        let http = try await run("serve", "--rtmp-port", "0", "--http-port", port)
        #expect(http.text.contains(":\(port) for HTTP") && http.text.contains("--http-port"))
    }

    /// Viewing a stream that nobody publishes is an error.
    @Test func viewOfNothing() async throws {
        let port = try #require(LocalPort.free())
        let (code, text) = try await run(
            "view", "rtmp://127.0.0.1:\(port)/live/a", "--count", "2", "--duration", "1")
        #expect(code == 1)
        #expect(text.contains("no viewer received any audio or video"), "\(text)")
        #expect(!text.contains("0.00 p99"), "\(text)")
        // All of stdout comes before stderr, although both go into one pipe.
        let lines = text.split(separator: "\n")
        #expect(lines.last?.hasPrefix("millrace: no viewer") == true, "\(text)")
        #expect(lines.first?.hasPrefix("viewers ") == true, "\(text)")
    }

    @Test func validateNothing() async throws {
        let port = try #require(LocalPort.free())
        let refused = try await run(
            "validate-hls", "http://127.0.0.1:\(port)/hls/live/demo/index.m3u8")
        #expect(refused.code == 1)
        #expect(
            refused.text.contains("nothing listens at 127.0.0.1:\(port); is the server"),
            "\(refused.text)")
        for target in ["ftp://a/index.m3u8", "/nowhere/index.m3u8", "http://:1/"] {
            let (code, text) = try await run("validate-hls", target)
            #expect(code == 2 && text.contains(target), "\(text)")
        }
    }

    @Test func everyFaultOnce() async throws {
        let path = NSTemporaryDirectory() + "millrace-\(UUID()).yml"
        defer { unlink(path) }
        try """
        version: 1
        name: x
        streams: [{name: live}]
        viewers: [{count: 1}]
        thresholds: {delay_mss: ["p(99)<200", "p(50)<200", "max<9"]}
        """.write(toFile: path, atomically: true, encoding: .utf8)
        let (code, text) = try await run("validate", path)
        #expect(code == 104)
        #expect(text.components(separatedBy: "did you mean 'delay_ms'").count == 2, "\(text)")
    }

    /// A program that has entered its own network namespace still reacts to Ctrl-C.
    @Test(.enabled(if: geteuid() == 0, "only root makes namespaces"), arguments: [SIGINT, SIGTERM])
    func benchesCanBeInterrupted(signal: Int32) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Programs.millrace))
        process.arguments = ["bench", "fanout", "--viewers", "21", "--duration", "60"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { kill(process.processIdentifier, SIGKILL) }
        // The time limit of the suite bounds this loop.
        let environment = "/proc/\(process.processIdentifier)/environ"
        while process.isRunning, ProcFile.read(environment)?.contains("MILLRACE_NETWORK") != true {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(kill(process.processIdentifier, signal) == 0)
        while process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == signal)
    }
}
