import HTTPFetch
import Glibc
import Processes
import Scenario

/// The processes, or the statistics, of a server that somebody else runs.
actor ExternalAccount {
    /// Most bytes of a file with a process number.
    private static let pidFileLimit = 64
    /// Most events that notes tell of.
    private static let eventLimit = 20

    private let settings: ServerAccounting
    private var root: ProcessIdentity?
    private var group: ControlGroup?
    private var reader: StatReader?
    private var events: [String] = []

    init(_ settings: ServerAccounting) { self.settings = settings }

    private static func failure(_ words: String) -> StackError {
        StackError(driver: "external", message: words)
    }

    /// Looks for the processes and reads the statistics for the first time.
    ///
    /// - Throws: `StackError` that says which key of the stack is wrong, and how to mend it.
    func begin() async throws(StackError) {
        if let pid = settings.pid {
            root = try Self.process(Int32(clamping: pid), of: "stack.pid")
        }
        if let file = settings.pidFile {
            root = try Self.process(try Self.number(in: file), of: "stack.pid_file (\(file))")
        }
        if let name = settings.cgroup {
            do throws(ControlGroup.Fault) {
                group = try ControlGroup(name)
            } catch {
                throw Self.failure("stack.cgroup: \(error)")
            }
            let members = group?.members ?? []
            guard !members.isEmpty else {
                throw Self.failure(
                    "stack.cgroup: no process is in '\(name)'; start the server or mend the path")
            }
            guard !members.contains(where: { $0.pid == getpid() }) else {
                throw Self.failure(
                    "stack.cgroup: '\(name)' holds this run itself; give the server's own cgroup")
            }
        }
        if let statistics = settings.statistics {
            do throws(FetchError) {
                let reader = try StatReader(statistics)
                try await reader.begin()
                self.reader = reader
            } catch {
                throw Self.failure("stack.stat: \(error)")
            }
        }
    }

    /// Returns the process with a number, which must not be this run or one that started it.
    private static func process(
        _ pid: Int32, of key: String
    ) throws(StackError) -> ProcessIdentity {
        guard let process = ProcessIdentity(pid: pid) else {
            throw failure(
                "\(key): there is no process \(pid); start the server, or give the number that "
                    + "pgrep shows")
        }
        guard pid != getpid(),
            !ProcessIdentity.descendants(of: pid).contains(where: {
                $0.pid == getpid()
            })
        else {
            throw failure("\(key): process \(pid) is this run or has started it, not the server")
        }
        return process
    }

    /// Returns the number in a file.
    static func number(in path: String) throws(StackError) -> Int32 {
        guard let bytes = WorkerFile.read(path, first: pidFileLimit + 1) else {
            throw failure(
                "stack.pid_file: '\(path)' cannot be read as a file; start the server or mend the path"
            )
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let word = text.split(whereSeparator: \.isWhitespace).first ?? ""
        guard bytes.count <= pidFileLimit, let number = Int32(word), number > 0 else {
            throw failure(
                "stack.pid_file: '\(path)' holds no process number ('\(text.prefix(20))'); give the "
                    + "file that the server writes its number into")
        }
        return number
    }

    /// The server's processes now.
    var processes: [ProcessIdentity] {
        if let group {
            let members = group.members
            if members.isEmpty { tellOnce("no process was left in the server's cgroup for a time") }
            if members.count >= ControlGroup.processLimit {
                tellOnce(
                    "the server's cgroup has more processes than the \(ControlGroup.processLimit) "
                        + "that are accounted")
            }
            return members
        }
        if let known = root, !known.isAlive {
            root = nil
            tell("the server's process \(known.pid) ended during the run")
        }
        if root == nil { findSuccessor() }
        guard let server = root else { return [] }
        return [server] + ProcessIdentity.descendants(of: server.pid)
    }

    /// Looks whether the file has the number of another process by now.
    private func findSuccessor() {
        guard let file = settings.pidFile, let number = try? Self.number(in: file),
            let successor = ProcessIdentity(pid: number)
        else { return }
        root = successor
        tell("the server's process \(number) took the place of the one that ended")
    }

    private func tellOnce(_ event: String) {
        if !events.contains(event) { tell(event) }
    }

    private func tell(_ event: String) {
        if events.count < Self.eventLimit { events.append(event) }
    }

    /// Reads the statistics; nil if the server has none, or if the reading failed.
    func readStatistics() async -> StatReading? { await reader?.read() }

    var hasStatistics: Bool { settings.statistics != nil }

    var notes: [String] {
        get async { events + (await reader?.notes ?? []) }
    }
}
