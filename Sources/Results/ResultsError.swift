/// Error for a results directory that cannot be written or read.
public struct ResultsError: Error, Sendable, CustomStringConvertible {
    public var path: String
    /// Text that says what went wrong and how to mend it.
    public var message: String

    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    public var description: String { "\(path): \(message)" }
}
