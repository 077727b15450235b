import Foundation

/// Runs programs of other projects, whose results tests compare with. Waiting for a program never
/// blocks a thread of the test runner.
package enum Shell {
    /// Whether all these programs are in the PATH.
    package static func has(_ names: String...) -> Bool {
        names.allSatisfy { name in
            (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
            }
        }
    }

    package struct Result {
        package var status: Int32
        package var output: String
        package var errors: String
    }

    /// Runs a command to its end, or ends it after `limit` seconds.
    package static func run(_ arguments: [String], limit: Int = 60) async throws -> Result {
        let files = FileManager.default
        let logs = [temporaryPath("out"), temporaryPath("err")]
        defer { for log in logs { try? files.removeItem(atPath: log) } }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "-k", "1", "\(limit)"] + arguments
        for log in logs { _ = files.createFile(atPath: log, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: logs[0]))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: logs[1]))
        process.standardInput = FileHandle.nullDevice
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        func text(_ path: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        }
        return Result(
            status: process.terminationStatus, output: try text(logs[0]),
            errors: try text(logs[1]))
    }

    /// Returns the path of a new temporary file, which the function does not create.
    package static func temporaryPath(_ suffix: String) -> String {
        FileManager.default.temporaryDirectory
            .appendingPathComponent("millrace-\(UUID().uuidString).\(suffix)").path
    }
}
