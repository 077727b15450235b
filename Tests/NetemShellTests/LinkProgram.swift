import Foundation
import Glibc
import TestSupport
import Testing

/// A run of `millrace link`, as a user runs it.
struct LinkProgram {
    struct Result {
        /// Exit code; if a signal ended the program, minus the signal's number.
        var code: Int32
        var output: String
        var errors: String
    }

    let process = Process()
    private let output = Pipe()
    private let errors = Pipe()

    /// Starts the program.
    init(_ arguments: [String], in directory: String? = nil) throws {
        process.executableURL = URL(fileURLWithPath: try #require(Programs.millrace))
        process.arguments = ["link"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        try process.run()
    }

    /// Waits for its end. The programs in these tests print less than a pipe holds on stderr.
    func finish() throws -> Result {
        let out = try output.fileHandleForReading.readToEnd() ?? Data()
        let err = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            code: process.terminationReason == .exit
                ? process.terminationStatus : -process.terminationStatus,
            output: String(decoding: out, as: UTF8.self),
            errors: String(decoding: err, as: UTF8.self))
    }

    static func run(_ arguments: String..., in directory: String? = nil) throws -> Result {
        try LinkProgram(arguments, in: directory).finish()
    }

    /// Returns the next line that the program behind the link prints; nil at its end.
    func line() -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while read(output.fileHandleForReading.fileDescriptor, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        return nil
    }

    /// Whether a process with this argument exists, except as a zombie.
    static func isRunning(_ argument: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.contains { name in
            guard pid_t(name) != nil,
                let data = FileManager.default.contents(atPath: "/proc/\(name)/cmdline")
            else { return false }
            return data.split(separator: 0).contains { $0.elementsEqual(argument.utf8) }
        }
    }

    /// Waits up to ten seconds until `condition` holds.
    static func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<500 {
            if condition() { return true }
            usleep(20_000)
        }
        return condition()
    }
}
