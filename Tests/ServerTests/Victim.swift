import Foundation
import NIOCore
import TestSupport
import Testing

/// The program in a process of its own, which a test attacks.
///
/// Its memory is separate, so that memory that an attack leaves there is not mixed with the
/// attacker's.
final class Victim: Sendable {
    let process: Process
    let errors: String
    /// Ports by scheme, as the program printed them.
    let ports: [String: Int]
    let residentBytesAtStart: Int

    /// Starts `millrace` and waits until it has printed its addresses.
    ///
    /// - Parameter stackKiB: Size of the threads' stacks in KiB; nil = the system's size.
    init(_ arguments: [String], stackKiB: Int? = nil) async throws {
        let program = try #require(Shell.millrace)
        let limit = stackKiB.map { "ulimit -s \($0); " } ?? ""
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "\(limit)exec \"$0\" \"$@\"", program] + arguments
        // A crash must end the process at once.
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["SWIFT_BACKTRACE": "enable=no"]
        ) { $1 }
        let output = Shell.temporaryPath("out")
        errors = Shell.temporaryPath("err")
        for path in [output, errors] {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        defer { try? FileManager.default.removeItem(atPath: output) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
        var ports: [String: Int] = [:]
        let (process, errors) = (process, errors)
        try await eventually("the program says where it listens") {
            try #require(process.isRunning, "\(Self.text(errors))")
            for line in Self.text(output).split(separator: "\n") {
                guard let url = URL(string: String(line.prefix { $0 != "<" })),
                    let scheme = url.scheme
                else { continue }
                ports[scheme] = url.port
            }
            return ports["http"] != nil
        }
        self.ports = ports
        residentBytesAtStart = try Self.residentBytes(of: process.processIdentifier)
    }

    /// Ends the process, so that a failed test leaves nothing behind.
    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(atPath: errors)
    }

    private static func text(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }

    private static func residentBytes(of pid: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/statm", encoding: .ascii)
        return try #require(Int(text.split(separator: " ")[1])) * 4096
    }

    func port(_ scheme: String) throws -> Int { try #require(ports[scheme]) }

    var isAlive: Bool { process.isRunning }
    var log: String { Self.text(errors) }

    /// Bytes of memory more than at the start.
    func grownBytes() throws -> Int {
        try #require(isAlive, "the server ended with \(process.terminationStatus): \(log)")
        return try Self.residentBytes(of: process.processIdentifier) - residentBytesAtStart
    }

    /// Ends the process as an operator does, and expects it to end by itself.
    func stop() async throws {
        process.terminate()
        defer { kill(process.processIdentifier, SIGKILL) }
        let process = process
        try await eventually("the program ends") { !process.isRunning }
        #expect(process.terminationStatus == 0, "\(log)")
    }
}
