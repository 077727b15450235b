import CLinux
import Foundation
import Glibc
import Synchronization

/// Starts children from one thread that lives as long as the process.
///
/// A child's parent-death signal fires when the thread that forked the child exits, so forking from
/// a pool's thread would kill children at random.
final class ProcessSpawner: Sendable {
    static let shared = ProcessSpawner()

    private typealias Job = @Sendable () -> Void
    private let jobs = Mutex<[Job]>([])
    /// Lock that is held during a fork, and while a descriptor is not yet marked close-on-exec.
    private static let forking = Mutex(())
    private let wakeUp = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { [self] in
            millrace_set_thread_name("spawner")
            while true {
                wakeUp.wait()
                jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }?()
            }
        }
        thread.start()
    }

    /// Arguments of `millrace_spawn`, as values.
    struct Request: Sendable {
        var path: String
        var arguments: [String]
        var environment = ProcessInfo.processInfo.environment
        /// Descriptors of the child's standard input, output and error; -1 = /dev/null.
        var input: Int32 = -1
        var output: Int32 = -1
        var error: Int32 = -1
        var cpus: CPUSet?
        /// Descriptor of the network namespace that the child enters; nil = this process's
        /// namespace.
        var networkNamespace: Int32?
        /// User that the child becomes; nil = the child keeps this process's user.
        var identity: Privileges.Identity?
        /// Whether the child leads a process group of its own.
        var leadsGroup = true
        /// Whether the child is killed when the thread that forked it ends.
        var endsWithParent = true
        /// Working directory of the child; nil = this process's.
        var directory: String?
        /// Time in milliseconds that the descendants of a kept child may take to end after SIGTERM;
        /// 0 = the child is not kept. A kept child has a keeper (Keeper.c) as its parent, whose
        /// number `spawn` returns.
        var keeperGraceMilliseconds: Int32 = 0
    }

    /// Starts a process from the thread that lives as long as this process; returns the process's
    /// number, or -errno.
    func spawn(_ request: Request) -> Int32 {
        let done = DispatchSemaphore(value: 0)
        let result = Mutex<Int32>(0)
        jobs.withLock {
            $0.append {
                let pid = Self.fork(request)
                result.withLock { $0 = pid }
                done.signal()
            }
        }
        wakeUp.signal()
        done.wait()
        return result.withLock { $0 }
    }

    /// Makes a pipe that no child inherits by accident; nil if none can be made.
    static func pipe() -> (read: Int32, write: Int32)? {
        forking.withLock { _ in
            var ends: [Int32] = [-1, -1]
            guard Glibc.pipe(&ends) == 0 else { return nil }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }

    /// Starts a process from the calling thread; returns the process's number, or -errno.
    static func fork(_ request: Request) -> Int32 {
        forking.withLock { _ in execute(request) }
    }

    private static func execute(_ request: Request) -> Int32 {
        let arguments = ([request.path] + request.arguments).map { strdup($0) } + [nil]
        let environment = request.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        let directory: UnsafeMutablePointer<CChar>? = request.directory.flatMap { strdup($0) }
        defer { for pointer in arguments + environment + [directory] { free(pointer) } }
        return request.path.withCString { path in
            var options = millrace_spawn_options()
            return arguments.withUnsafeBufferPointer { argv in
                environment.withUnsafeBufferPointer { envp in
                    options.path = path
                    options.argv = argv.baseAddress
                    options.envp = envp.baseAddress
                    options.stdin_fd = request.input
                    options.stdout_fd = request.output
                    options.stderr_fd = request.error
                    options.cpu_mask = request.cpus?.mask ?? 0
                    options.parent_death_signal = request.endsWithParent ? SIGKILL : 0
                    options.new_process_group = request.leadsGroup ? 1 : 0
                    options.network_namespace_fd = request.networkNamespace ?? -1
                    options.user = request.identity?.user ?? 0
                    options.group = request.identity?.group ?? 0
                    options.directory = UnsafePointer(directory)
                    options.keeper_grace_ms = request.keeperGraceMilliseconds
                    return millrace_spawn(&options)
                }
            }
        }
    }
}
