/// Why a capture cannot be read or taken, and how to mend it.
public struct CaptureError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        /// The bytes are no capture file, or not one that can be read on.
        case format
        /// The file ends inside a packet: what came before is good.
        case truncated
        case permission
        case device
        case filter
    }

    public var code: Code
    /// What went wrong and what would mend it.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
