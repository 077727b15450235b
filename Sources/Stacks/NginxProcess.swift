import Foundation
import Glibc
import Processes
import Sockets

/// Directories of the nginx processes that runs start. The prefix of a name is followed by the
/// number of the process that made the directory.
package enum NginxDirectory {
    private static let prefix = "millrace-nginx-"

    /// Returns the path of a new directory, which does not exist yet.
    static func path() -> String {
        NSTemporaryDirectory() + "\(prefix)\(getpid())-\(UUID().uuidString)"
    }

    /// Returns a word of nginx's configuration in quotes, so that blanks, quotes and semicolons are
    /// part of the word.
    ///
    /// A `$` cannot be quoted and always begins a variable, so `problem` refuses it in paths.
    static func quoted(_ word: String) -> String {
        "\"" + word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Returns the folder in `directory` in which nginx's workers and their children write. All
    /// other files belong to the runner: a user who could change the configuration would have the
    /// rights of nginx's master.
    static func work(_ directory: String) -> String { "\(directory)/work" }

    /// Directive for the user that nginx's workers become: the run's user with its group; root if
    /// there is none and the runner is root.
    static var userDirective: String {
        guard getuid() == 0 else { return "" }
        let group = (try? Privileges.workerIdentity())?.groupName
        let names = [Privileges.workerUser ?? "root", group].compactMap(\.self)
        return "user \(names.map(quoted).joined(separator: " "));"
    }

    /// Returns why nginx cannot have its files in a directory, and the remedy; nil if it can.
    static func problem(_ directory: String) -> String? {
        guard directory.contains(where: { $0 == "$" || $0.isNewline }) else { return nil }
        return
            "nginx takes the $ or line end in '\(directory)' for its own; give another folder for temporary files (TMPDIR)"
    }

    /// Returns the directives with which each `http {}` of a run begins: connections stay open, and
    /// no file is written outside `directory`.
    static func http(_ directory: String) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(quoted("\(directory)/\($0)"));"
        }
        return (["sendfile on;", "tcp_nodelay on;", "keepalive_requests 1000000;"] + temporary)
            .joined(separator: " ")
    }

    /// Removes the directories of runs that were killed: the process that made them is gone.
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
        /// Name of the process in messages.
        var name: String
        var path = "/usr/sbin/nginx"
        /// Files that must be installed.
        var files: [String] = []
        /// Text that says how to install nginx and the files.
        var hint: String
        /// Ports on which nginx listens; nil = a free port.
        var ports: [Int?]
        /// Whether nginx has children, which must not outlive it.
        var guardsGroup = true
        var cpus: CPUSet?
        var logPath: String?
    }

    let process: ChildProcess
    let directory: String
    /// Ports on which nginx listens, in the order of the options.
    let ports: [Int]

    /// Starts nginx and waits until it listens.
    ///
    /// - Parameter configuration: Function that returns the text of the configuration for ports and
    ///   a directory.
    /// - Throws: `ProcessError` with nginx's own words if nginx is missing or does not come up.
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
        // The log may be of any length, so only its end is read.
        let end = WorkerFile.read("\(directory)/error.log", last: 500) ?? []
        let log = end.isEmpty ? "" : ": " + String(decoding: end, as: UTF8.self)
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

    /// Ends nginx and keeps its files.
    func end() async { _ = await process.terminate() }

    func removeFiles() { try? FileManager.default.removeItem(atPath: directory) }
}
