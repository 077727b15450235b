/// Reason why a capture cannot be read or taken, and the remedy.
public struct CaptureError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        /// The bytes are not a capture file, or the file cannot be read further.
        case format
        /// The file ends inside a packet; the packets before it are good.
        case truncated
        /// This process is not permitted to capture.
        case permission
        /// The interface does not exist, is down or cannot be captured on.
        case device
        /// The capture filter is not valid or cannot be set.
        case filter
    }

    public var code: Code
    /// Text that tells what went wrong and how to mend it.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
