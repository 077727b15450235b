/// Error for settings with which the server cannot run.
public struct ServerConfigurationError: Error, Sendable, CustomStringConvertible {
    public var description: String
}
