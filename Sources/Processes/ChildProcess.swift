import Dispatch
import Foundation
import Glibc
import Synchronization

/// End of a child; its description continues a sentence that begins with the child's name.
public enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signaled(Int32)

    public var isSuccess: Bool { self == .exited(0) }

    /// Reads a status as waitpid(2) returns it for a process that has ended.
    init(waitStatus raw: Int32) {
        let signal = raw & 0x7F
        self = signal == 0 ? .exited((raw >> 8) & 0xFF) : .signaled(signal)
    }

    /// Exit code as shells give it: 128 + n if signal n ended the process.
    public var shellCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }

    public var description: String {
        switch self {
        case .exited(let code): "exited with status \(code)"
        case .signaled(let signal): "was killed by signal \(signal)"
        }
    }
}

/// Error for a child that cannot be started or cannot be written to.
public struct ProcessError: Error, Sendable, CustomStringConvertible {
    public var name: String
    /// Text that says what went wrong and how to mend it.
    public var message: String

    public init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    public var description: String { "\(name): \(message)" }
}

/// A child process in a group of its own, with a pipe to its standard input and one from its
/// standard output; its standard error goes to a file. The child dies with this process.
public final class ChildProcess: Sendable {
    public struct Options: Sendable {
        public var path: String
        public var arguments: [String]
        public var environment: [String: String]
        /// File to which standard error is appended; nil = /dev/null.
        public var logPath: String?
        public var cpus: CPUSet?
        /// Descriptor of the network namespace that the child enters; nil = this process's
        /// namespace.
        public var networkNamespace: Int32?
        /// Whether the child becomes the run's worker user, if there is one.
        public var isWorker = false
        /// Whether a guard in the child's group kills the group when this process dies. Programs
        /// with children of their own need it, because a parent-death signal reaches only the
        /// leader. The guard takes the child's standard input.
        public var guardsGroup = false
        /// Working directory of the child; nil = this process's.
        public var directory: String?
        /// Whether standard error goes where standard output goes, instead of into a log.
        public var mergesOutput = false
        /// Time that the child and all its descendants may take to end after SIGTERM, 1 ms or
        /// more; nil = only the child's process group is ended. With a time, `pid` is that of a
        /// keeper: it finds descendants that left the group and the session, ends when the last of
        /// them has ended, and kills all of them when this process dies. It takes the child's
        /// standard input.
        public var treeGrace: Duration?

        /// - Parameter environment: Environment of the child; nil = this process's own.
        public init(
            path: String, arguments: [String] = [],
            environment: [String: String]? = nil,
            logPath: String? = nil, cpus: CPUSet? = nil
        ) {
            self.path = path
            self.arguments = arguments
            self.environment = environment ?? ProcessInfo.processInfo.environment
            self.logPath = logPath
            self.cpus = cpus
        }

        fileprivate var keeperGraceMilliseconds: Int32 {
            guard let treeGrace else { return 0 }
            return Int32(max(1, min(treeGrace / .milliseconds(1), 3_600_000)))
        }

        /// The guard waits for the end of its input, which comes when the parent is gone.
        var command: (path: String, arguments: [String]) {
            guard guardsGroup else { return (path, arguments) }
            let script = "exec 3<&0; (read -r x <&3; kill -9 0) & exec 3<&-; exec \"$@\" </dev/null"
            return ("/bin/sh", ["-c", script, "guard", path] + arguments)
        }
    }

    public let name: String
    public let pid: Int32
    private let input: Mutex<Int32?>
    private let output: Mutex<Int32?>
    private let status = Mutex<ExitStatus?>(nil)
    private let waiters = Mutex<[CheckedContinuation<ExitStatus, Never>]>([])

    /// Starts the child.
    ///
    /// - Throws: `ProcessError` if the program is missing or cannot be executed.
    public init(name: String, _ options: Options) throws(ProcessError) {
        signal(SIGPIPE, SIG_IGN)
        self.name = name
        let identity: Privileges.Identity?
        do throws(Privileges.Fault) {
            identity = options.isWorker ? try Privileges.workerIdentity() : nil
        } catch {
            throw ProcessError(name: name, message: "\(error)")
        }
        var log: Int32 = -1
        if let path = options.logPath {
            log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            if log < 0 { throw Self.failure(name, "cannot open its log \(path)", errno) }
        }
        defer { if log >= 0 { close(log) } }
        let (childInput, parentInput) = try Self.pipe(name)
        let (parentOutput, childOutput) = try Self.pipe(name)
        let (path, arguments) = options.command
        pid = ProcessSpawner.shared.spawn(
            .init(
                path: path, arguments: arguments,
                environment: options.environment, input: childInput, output: childOutput,
                error: options.mergesOutput ? childOutput : log, cpus: options.cpus,
                networkNamespace: options.networkNamespace,
                identity: identity, directory: options.directory,
                keeperGraceMilliseconds: options.keeperGraceMilliseconds))
        close(childInput)
        close(childOutput)
        input = Mutex(parentInput)
        output = Mutex(parentOutput)
        guard pid > 0 else {
            close(parentInput)
            close(parentOutput)
            throw Self.failure(
                name, "cannot start \(options.path); is it installed and executable?", -pid)
        }
        reapInBackground()
    }

    private static func pipe(_ name: String) throws(ProcessError) -> (read: Int32, write: Int32) {
        guard let ends = ProcessSpawner.pipe() else {
            throw failure(name, "cannot make a pipe", errno)
        }
        return ends
    }

    private static func failure(_ name: String, _ what: String, _ code: Int32) -> ProcessError {
        ProcessError(name: name, message: "\(what) (\(String(cString: strerror(code))))")
    }

    private func reapInBackground() {
        let thread = Thread { [self] in
            // The wait does not reap the child, so that the process group's number cannot be reused
            // before the members that outlived their leader (nginx's workers) are killed.
            var info = siginfo_t()
            while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
            kill(-pid, SIGKILL)
            let (ended, waiting) = waiters.withLock { list in
                // With the lock held, no signal goes to a process that gets the number next.
                let ended = status.withLock { status in
                    var raw: Int32 = 0
                    while waitpid(pid, &raw, 0) < 0 && errno == EINTR {}
                    let ended = ExitStatus(waitStatus: raw)
                    status = ended
                    return ended
                }
                defer { list = [] }
                return (ended, list)
            }
            for waiter in waiting { waiter.resume(returning: ended) }
        }
        thread.stackSize = 64 << 10
        thread.start()
    }

    /// Exit status of the child; nil while it runs.
    public var exitStatus: ExitStatus? { status.withLock { $0 } }

    /// Waits until the child has ended and been reaped.
    public func wait() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            let ended = waiters.withLock { list -> ExitStatus? in
                if let ended = exitStatus { return ended }
                list.append(continuation)
                return nil
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }

    /// Sends a signal to the child's whole process group; after the child has been reaped, nothing
    /// is sent.
    public func send(signal: Int32) {
        status.withLock { ended in
            guard ended == nil else { return }
            if kill(-pid, signal) != 0 { _ = kill(pid, signal) }
        }
    }

    /// Sends SIGTERM to the group, and SIGKILL after `grace`; returns the exit status of the child.
    public func terminate(grace: Duration = .seconds(2)) async -> ExitStatus {
        if exitStatus == nil { send(signal: SIGTERM) }
        let killer = Task {
            try await Task.sleep(for: grace)
            send(signal: SIGKILL)
        }
        let ended = await wait()
        killer.cancel()
        closeInput()
        return ended
    }

    /// Writes all of `bytes` to the child's standard input; blocks while the pipe is full.
    public func write(_ bytes: [UInt8]) throws(ProcessError) {
        let code: Int32? = input.withLock { descriptor in
            guard let descriptor else { return EPIPE }
            var rest = bytes[...]
            while !rest.isEmpty {
                let n = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if n < 0 && errno == EINTR { continue }
                if n < 0 { return errno }
                rest = rest.dropFirst(n)
            }
            return nil
        }
        if let code { throw Self.failure(name, "does not take input any more", code) }
    }

    /// Closes the child's standard input; for a worker this is the sign to exit.
    public func closeInput() {
        input.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    /// Returns the lines of the child's standard output until it closes. The stream can be taken
    /// once.
    public func lines() -> AsyncStream<LineReader.Event> {
        let descriptor = takeOutput()
        return AsyncStream { continuation in
            guard let descriptor else { return continuation.finish() }
            let thread = Thread {
                LineReader(descriptor: descriptor).forEach { continuation.yield($0) }
                close(descriptor)
                continuation.finish()
            }
            thread.start()
        }
    }

    /// Takes the descriptor of the child's standard output, which the caller reads and closes; nil
    /// if it has been taken.
    public func takeOutput() -> Int32? {
        output.withLock { taken in
            defer { taken = nil }
            return taken
        }
    }

    deinit {
        if let descriptor = input.withLock({ $0 }) { close(descriptor) }
        if let descriptor = output.withLock({ $0 }) { close(descriptor) }
    }
}
