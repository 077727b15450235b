/// Error of a decoder or a source of this module.
public struct MediaError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure; stable across releases.
    public enum Code: String, Hashable, Sendable {
        /// The bytes do not begin with an FLV header.
        case notFLV
        /// A claimed length exceeds the limit set for it.
        case tooLarge
        /// The bytes end before a claimed length.
        case truncated
        /// A field holds a value that its specification forbids.
        case invalidValue
        /// The bytes are well formed but ask for a feature that this module does not have.
        case unsupported
        /// A file holds no audio or video frame.
        case empty
        /// The file cannot be opened or read.
        case fileUnreadable
        /// A synthetic source cannot meet its specification.
        case impossibleSpec
    }

    public var code: Code
    /// Text that says what went wrong and, if it helps, how to mend it.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
