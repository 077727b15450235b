/// Why a text is not a playlist, or a delta update does not fit.
public struct PlaylistError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure; stable across releases.
    public enum Code: String, Sendable, Hashable, Codable {
        /// The first line is not `#EXTM3U`.
        case notAPlaylist
        /// A tag, a number or an attribute list breaks RFC 8216.
        case malformed
        /// A tag or an attribute that must be there is missing.
        case missing
        /// Tags of multivariant and media playlists in one text, or of neither.
        case mixed
        /// A limit of `PlaylistLimits` is exceeded.
        case tooLarge
        /// A variable is used or imported that nothing defines (rfc8216bis, 4.3 and 4.4.2.3).
        case undefinedVariable
        /// A delta update that the playlist at hand cannot be merged with.
        case cannotMerge
    }

    public var code: Code
    /// Counted from 1; 0 where no single line is to blame.
    public var line: Int
    public var message: String

    public init(_ code: Code, line: Int = 0, _ message: String) {
        self.code = code
        self.line = line
        self.message = message
    }

    public var description: String { line > 0 ? "line \(line): \(message)" : message }
}

/// What a playlist from a stranger may cost.
public struct PlaylistLimits: Sendable, Hashable {
    /// UTF-8 bytes of the whole text.
    public var bytes = 8 << 20
    /// Lines, empty ones included.
    public var lines = 200_000
    /// UTF-8 bytes of one line.
    public var lineBytes = 16 << 10
    /// Attributes of one tag.
    public var attributes = 64

    public init() {}
}
