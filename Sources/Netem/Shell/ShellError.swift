import Glibc

/// Why real packets cannot pass a link here, and how to mend it.
public struct ShellError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    /// Of the program that could not be executed: 127 where there is none, 126 otherwise.
    public var exitCode: Int32
    /// Whether another program has what was asked for.
    var isBusy = false

    public init(_ message: String, exitCode: Int32 = 1) {
        self.message = message
        self.exitCode = exitCode
    }

    /// A failed system call: what was tried, -errno, and what helps.
    static func system(_ what: String, _ code: Int32, _ remedy: String = "") -> ShellError {
        let reason = String(cString: strerror(abs(code)))
        var error = ShellError("\(what): \(reason)" + (remedy.isEmpty ? "" : "; \(remedy)"))
        error.isBusy = code == -EBUSY
        return error
    }

    public var description: String { message }
}
