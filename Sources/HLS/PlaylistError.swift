/// Reason why a text is not a playlist, or a delta update does not fit.
public struct PlaylistError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure; stable across releases.
    public enum Code: String, Sendable, Hashable, Codable {
        /// The first line is not `#EXTM3U`.
        case notAPlaylist
        /// A tag, a number or an attribute list breaks RFC 8216.
        case malformed
        /// A required tag or attribute is missing.
        case missing
        /// The text has tags of both multivariant and media playlists, or of neither.
        case mixed
        /// A limit of `PlaylistLimits` is exceeded.
        case tooLarge
        /// A variable is used or imported that is not defined (rfc8216bis, 4.3 and 4.4.2.3).
        case undefinedVariable
        /// A delta update cannot be merged with the playlist at hand.
        case cannotMerge
    }

    public var code: Code
    /// Line number from 1; 0 if the error does not belong to a single line.
    public var line: Int
    public var message: String

    public init(_ code: Code, line: Int = 0, _ message: String) {
        self.code = code
        self.line = line
        self.message = message
    }

    public var description: String { line > 0 ? "line \(line): \(message)" : message }
}

/// Limits for a playlist from an unknown server.
public struct PlaylistLimits: Sendable, Hashable {
    /// Largest number of UTF-8 bytes of the whole text.
    public var bytes = 8 << 20
    /// Largest number of lines, empty ones included.
    public var lines = 200_000
    /// Largest number of UTF-8 bytes of one line.
    public var lineBytes = 16 << 10
    /// Largest number of attributes of one tag.
    public var attributes = 64

    public init() {}
}
