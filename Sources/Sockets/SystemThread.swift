import CLinux
import Glibc

/// POSIX threads with a name, for loops that an event loop cannot serve.
public enum SystemThread {
    /// The system has given no thread.
    public struct Refusal: Error, CustomStringConvertible {
        /// Reason in words, with the remedy.
        public let description: String
    }

    private final class Task: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            (self.name, self.body) = (name, body)
        }
    }

    /// Starts a thread that runs `body` once. Nobody waits for its end.
    ///
    /// - Parameters:
    ///   - name: Name in `/proc`, of which the kernel keeps 15 bytes.
    ///   - stackBytes: Size of its stack; nil = the system's.
    public static func start(
        name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(Refusal) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let task = Unmanaged.passRetained(Task(name, body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let task = Unmanaged<Task>.fromOpaque(argument).takeRetainedValue()
                millrace_set_thread_name(task.name)
                task.body()
                return nil
            }, task.toOpaque())
        guard code == 0 else {
            task.release()
            throw Refusal(
                description: "the system gives no thread (\(String(cString: strerror(code)))); end "
                    + "other processes, or raise the limit of threads")
        }
    }
}
