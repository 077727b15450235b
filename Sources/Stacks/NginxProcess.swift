import Foundation
import Glibc
import Processes
import Sockets

/// Directories of nginx processes that runs start; the name goes on with the process that made it.
package enum NginxDirectory {
    private static let prefix = "millrace-nginx-"

    /// A new one; it is not made yet.
    static func path() -> String {
        NSTemporaryDirectory() + "\(prefix)\(getpid())-\(UUID().uuidString)"
    }

    /// A word of nginx's configuration: blanks, quotes and semicolons are its own.
    ///
    /// A `$` stays what begins a variable, and has no other form: `problem` refuses it in paths.
    static func quoted(_ word: String) -> String {
        "\"" + word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// The folder in `directory` that nginx's workers and their children write in. All else is the
    /// runner's: who could change the configuration would be who nginx's master is.
    static func work(_ directory: String) -> String { "\(directory)/work" }

    /// Who nginx's workers are: the run's user with its group, else root where the runner is root.
    static var userDirective: String {
        guard getuid() == 0 else { return "" }
        let group = (try? Privileges.workerIdentity())?.groupName
        let names = [Privileges.workerUser ?? "root", group].compactMap(\.self)
        return "user \(names.map(quoted).joined(separator: " "));"
    }

    /// Why nginx cannot have its files in a directory, and how to mend it; nil if it can.
    static func problem(_ directory: String) -> String? {
        guard directory.contains(where: { $0 == "$" || $0.isNewline }) else { return nil }
        return
            "nginx takes the $ or line end in '\(directory)' for its own; give another folder for temporary files (TMPDIR)"
    }

    /// What every `http {}` of ours begins with: connections that stay, and nothing outside `directory`.
    static func http(_ directory: String) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(quoted("\(directory)/\($0)"));"
        }
        return (["sendfile on;", "tcp_nodelay on;", "keepalive_requests 1000000;"] + temporary)
            .joined(separator: " ")
    }

    /// Removes those of runs that were killed: their owner is gone.
    package static func sweep(in parent: String = NSTemporaryDirectory()) {
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: parent)) ?? []
        where name.hasPrefix(prefix) {
            guard let owner = name.dropFirst(prefix.count).split(separator: "-").first,
                let pid = pid_t(String(owner)), pid > 0, kill(pid, 0) != 0, errno == ESRCH
            else { continue }
            try? files.removeItem(atPath: "\(parent)/\(name)")
        }
    }
}

/// A running nginx that has a directory and a configuration of its own.
struct NginxProcess: Sendable {
    struct Options: Sendable {
        /// What its messages call it.
        var name: String
        var path = "/usr/sbin/nginx"
        /// What must be installed, and how.
        var files: [String] = []
        var hint: String
        /// One that it listens on; nil = a free one.
        var ports: [Int?]
        /// Whether it has children, which must not outlive it.
        var guardsGroup = true
        var cpus: CPUSet?
        var logPath: String?
    }

    let process: ChildProcess
    let directory: String
    /// Where it listens, in the order of the options.
    let ports: [Int]

    /// Starts it and waits until it listens.
    ///
    /// - Parameter configuration: its text, for ports and directory.
    /// - Throws: `ProcessError` where it is missing or does not come up, with its own words.
    init(
        _ options: Options, configuration: ([Int], String) -> String
    ) async throws(ProcessError) {
        func failure(_ message: String) -> ProcessError {
            ProcessError(name: options.name, message: message)
        }
        for file in [options.path] + options.files
        where !FileManager.default.fileExists(atPath: file) {
            throw failure("\(file) is missing; \(options.hint)")
        }
        let directory = NginxDirectory.path()
        var last = ""
        // A port is free when picked; another program may take it before nginx does.
        for _ in 0..<3 {
            let ports = options.ports.compactMap { $0 ?? LocalPort.free() }
            guard Set(ports).count == options.ports.count else { throw failure("no free TCP port") }
            let child = try Self.launch(options, configuration(ports, directory), in: directory)
            for _ in 0..<250 where child.exitStatus == nil {
                if ports.allSatisfy({ LocalPort.accepts(host: "127.0.0.1", port: $0) }),
                    child.exitStatus == nil
                {
                    (process, self.directory, self.ports) = (child, directory, ports)
                    return
                }
                try? await Task.sleep(for: .milliseconds(20))
            }
            last = child.exitStatus.map { "it \($0)" } ?? "it did not listen within 5 s"
            _ = await child.terminate()
        }
        let log = ProcFile.read("\(directory)/error.log").map { ": " + $0.suffix(500) } ?? ""
        try? FileManager.default.removeItem(atPath: directory)
        throw failure("cannot be started; \(last)\(log)")
    }

    private static func launch(
        _ options: Options, _ configuration: String, in directory: String
    ) throws(ProcessError) -> ChildProcess {
        if let problem = NginxDirectory.problem(directory) {
            throw ProcessError(name: options.name, message: problem)
        }
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o711])
            let work = NginxDirectory.work(directory)
            try FileManager.default.createDirectory(
                atPath: work, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try Privileges.giveToWorkers(work)
            try configuration.write(
                toFile: "\(directory)/nginx.conf", atomically: true, encoding: .utf8)
        } catch {
            throw ProcessError(
                name: options.name,
                message: "cannot write its configuration in \(directory): \(error)")
        }
        var child = ChildProcess.Options(
            path: options.path,
            arguments: [
                "-p", directory, "-c", "\(directory)/nginx.conf", "-e", "\(directory)/error.log",
            ], logPath: options.logPath, cpus: options.cpus)
        child.guardsGroup = options.guardsGroup
        return try ChildProcess(name: options.name, child)
    }

    /// Ends it; its files are still there.
    func end() async { _ = await process.terminate() }

    func removeFiles() { try? FileManager.default.removeItem(atPath: directory) }
}
