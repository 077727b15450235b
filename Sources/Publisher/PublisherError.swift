/// Reason why a stream cannot be published.
public struct PublisherError: Error, Sendable, CustomStringConvertible {
    public var description: String
    /// True if another attempt cannot help, because the server refused the stream.
    public var isFinal: Bool
}
