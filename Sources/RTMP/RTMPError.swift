/// Reason why a peer's bytes or a session cannot be processed further, and the remedy.
public struct RTMPError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        case handshake
        case chunkStream
        case limitExceeded
        case amf
        case controlMessage
        case aggregate
        case url
    }

    public var code: Code
    /// Text that says what went wrong and how to mend it.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "RTMP \(code.rawValue): \(message)" }
}
