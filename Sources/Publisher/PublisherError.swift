/// Why a stream cannot be published.
public struct PublisherError: Error, Sendable, CustomStringConvertible {
    public var description: String
    /// True where trying again cannot help: the server refused the stream.
    public var isFinal: Bool
}
