import Glibc

/// Reason why real packets cannot pass a link here, and the remedy.
public struct ShellError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    /// Exit code for a program that could not be executed: 127 if it does not exist, 126 otherwise.
    public var exitCode: Int32
    /// Whether another program uses the requested name or address.
    var isBusy = false

    public init(_ message: String, exitCode: Int32 = 1) {
        self.message = message
        self.exitCode = exitCode
    }

    /// Makes an error for a failed system call: what was tried, -errno, and the remedy.
    static func system(_ what: String, _ code: Int32, _ remedy: String = "") -> ShellError {
        let reason = String(cString: strerror(abs(code)))
        var error = ShellError("\(what): \(reason)" + (remedy.isEmpty ? "" : "; \(remedy)"))
        error.isBusy = code == -EBUSY
        return error
    }

    public var description: String { message }
}
