import CLinux
import Foundation
import Glibc
import Synchronization

/// A network namespace with its loopback up. It exists as long as this object, or a socket or a
/// process in it.
public final class NetworkNamespace: Sendable {
    /// Descriptor that refers to the namespace.
    public let descriptor: Int32

    /// - Throws: `ShellError` without the privilege to make a namespace.
    public init() throws {
        descriptor = try Self.onThread {
            let code = millrace_enter_network_namespace()
            guard code == 0 else {
                throw ShellError.system("cannot make a network namespace", code, "run as root")
            }
            let descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw ShellError.system("cannot open a network namespace", -errno)
            }
            return descriptor
        }
    }

    private init(owning descriptor: Int32) { self.descriptor = descriptor }

    /// Returns the namespace of the calling thread.
    /// - Throws: `ShellError`.
    public static func current() throws(ShellError) -> NetworkNamespace {
        let descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .system("cannot open this network namespace", -errno)
        }
        return NetworkNamespace(owning: descriptor)
    }

    deinit { close(descriptor) }

    /// Runs `body` on a thread of its own inside the namespace and waits for it. Sockets and
    /// devices made there stay in the namespace, whatever thread uses them.
    public func perform<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        let descriptor = descriptor
        return try Self.onThread {
            let code = millrace_set_network_namespace(descriptor)
            guard code == 0 else {
                throw ShellError.system("cannot enter a network namespace", code)
            }
            return try body()
        }
    }

    private static func onThread<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        let done = DispatchSemaphore(value: 0)
        let box = OutcomeBox<Result>()
        Thread {
            box.value.withLock { $0 = Swift.Result { try body() } }
            done.signal()
        }.start()
        done.wait()
        return try box.value.withLock { $0! }.get()
    }

    private final class OutcomeBox<Result: Sendable>: Sendable {
        let value = Mutex<Swift.Result<Result, any Error>?>(nil)
    }
}
