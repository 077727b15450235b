import CLinux
import Foundation
import Glibc

/// Programs of this machine: finding one by its name, and running one to its end.
///
/// `ChildProcess` is for programs that run beside this one. A program that is run here blocks the
/// calling thread and is in that thread's network namespace.
public enum Program {
    /// What becomes of the output of a program.
    public enum Output: Sendable, Hashable {
        case discarded
        /// Both go to the standard error of this process.
        case standardError
        /// Standard output is returned, at most its first `limit` bytes; standard error is
        /// discarded.
        case text(limit: Int)
    }

    /// End of a program that was run.
    public struct Outcome: Sendable, Hashable {
        public var status: ExitStatus
        /// The program's standard output, if it was asked for; bytes that are not UTF-8 are
        /// replaced.
        public var text = ""
    }

    /// A program could not be started.
    public struct StartError: Error, Sendable, Hashable, CustomStringConvertible {
        /// `errno` of the call that failed.
        public var code: Int32

        public var description: String { String(cString: strerror(code)) }
    }

    /// What a search for a program found.
    public enum Search: Sendable, Hashable {
        case found(String)
        /// There is a file of that name, but it is no program that this user may execute.
        case notExecutable
        case missing
    }

    /// Directories that are searched if the environment has no PATH.
    private static let standardPath = "/usr/local/bin:/usr/bin:/bin"
    /// Directories of the system's own programs, which are searched after PATH: users other than
    /// root often do not have them in their PATH.
    private static let systemPath = "/usr/local/sbin:/usr/sbin:/sbin"

    /// Returns the path of a program; nil if there is none that may be executed.
    ///
    /// - Parameter name: A name that is searched in PATH and then in the system's own directories,
    ///   or a path with a `/`, which is taken as it is.
    public static func find(_ name: String) -> String? {
        guard case .found(let path) = search(name) else { return nil }
        return path
    }

    /// Searches for a program as `find` does, and tells a file that may not be executed from one
    /// that does not exist, as shells do.
    public static func search(_ name: String) -> Search {
        search(name, in: "\(path):\(systemPath)")
    }

    private static var path: String {
        getenv("PATH").map { String(cString: $0) } ?? standardPath
    }

    /// - Parameter directories: Directories in the form of PATH.
    static func search(_ name: String, in directories: String) -> Search {
        let isPath = name.contains("/")
        let candidates =
            isPath ? [name] : directories.split(separator: ":").map { "\($0)/\(name)" }
        var result = Search.missing
        for candidate in candidates {
            var facts = stat()
            guard stat(candidate, &facts) == 0 else { continue }
            guard facts.st_mode & S_IFMT == S_IFREG else {
                // A directory of that name in PATH is not what was meant.
                if isPath { result = .notExecutable }
                continue
            }
            if access(candidate, X_OK) == 0 { return .found(candidate) }
            result = .notExecutable
        }
        return result
    }

    /// Runs a program to its end and blocks the calling thread until then. The program reads
    /// nothing from its standard input.
    ///
    /// - Parameters:
    ///   - path: Path of the program, as `find` returns it.
    ///   - endsWithCaller: Whether the program is in this process's group, so that a terminal's
    ///     signals reach it, and is killed by the kernel if this process dies first. Otherwise it
    ///     has a group of its own and comes to its end undisturbed.
    /// - Throws: `StartError` if the program cannot be started.
    public static func run(
        _ path: String, _ arguments: [String] = [], output: Output = .discarded,
        endsWithCaller: Bool = false
    ) throws(StartError) -> Outcome {
        var request = ProcessSpawner.Request(path: path, arguments: arguments)
        request.leadsGroup = !endsWithCaller
        // The signal comes when the thread that forks ends. That is this thread, and it waits.
        request.endsWithParent = endsWithCaller
        var reading: Int32 = -1
        switch output {
        case .discarded: break
        case .standardError: (request.output, request.error) = (STDERR_FILENO, STDERR_FILENO)
        case .text:
            guard let ends = ProcessSpawner.pipe() else { throw StartError(code: errno) }
            (reading, request.output) = ends
        }
        let pid = ProcessSpawner.fork(request)
        if reading >= 0 { close(request.output) }
        defer { if reading >= 0 { close(reading) } }
        guard pid > 0 else { throw StartError(code: -pid) }
        var text: [UInt8] = []
        if case .text(let limit) = output { text = read(reading, limit: limit) }
        var raw: Int32 = 0
        while waitpid(pid, &raw, 0) < 0, errno == EINTR {}
        return Outcome(
            status: ExitStatus(waitStatus: raw), text: String(decoding: text, as: UTF8.self))
    }

    /// Runs a program to its end; returns whether it could be started and ended with status 0.
    public static func succeeds(
        _ path: String, _ arguments: [String] = [], output: Output = .discarded
    ) -> Bool {
        (try? run(path, arguments, output: output).status.isSuccess) ?? false
    }

    /// Reads to the end, so that the program never blocks, and keeps the first `limit` bytes.
    private static func read(_ descriptor: Int32, limit: Int) -> [UInt8] {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let n = chunk.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else { return text }
            text += chunk[..<min(n, max(0, limit - text.count))]
        }
    }
}
