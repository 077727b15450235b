/// A playlist of either kind.
public enum HLSPlaylist: Sendable, Hashable {
    case multivariant(MultivariantPlaylist)
    case media(MediaPlaylist)

    /// Reads a playlist of either kind (RFC 8216, 4).
    ///
    /// Unknown tags and attributes are skipped, as RFC 8216, 6.3.1 asks; lines may end with CR LF.
    /// Tags of both kinds in one text are an error.
    /// - Throws: `PlaylistError` with the line: the first of the faults that `read` reports.
    public static func parse(
        _ text: String, limits: PlaylistLimits = PlaylistLimits(),
        variables: PlaylistVariables = PlaylistVariables()
    ) throws(PlaylistError) -> HLSPlaylist {
        let (playlist, faults) = try read(text, limits: limits, variables: variables)
        if let first = faults.first { throw first }
        return playlist
    }

    /// Reads as much of a playlist as possible: one bad line does not hide the others.
    ///
    /// - Parameter variables: Variables that EXT-X-DEFINE may import, and the URL's parameters.
    /// - Returns: The playlist without the lines that break a rule, and the rules that these lines
    ///   break.
    /// - Throws: `PlaylistError` for a text that is not a playlist of one kind, or that exceeds a
    ///   limit.
    public static func read(
        _ text: String, limits: PlaylistLimits = PlaylistLimits(),
        variables: PlaylistVariables = PlaylistVariables()
    ) throws(PlaylistError) -> (playlist: HLSPlaylist, faults: [PlaylistError]) {
        var faults = PlaylistFaults()
        var variables = variables
        let written = try PlaylistLine.all(of: text, limits: limits, faults: &faults)
        let lines = variables.substituted(written, limits: limits, faults: &faults)
        var multivariant: PlaylistLine?
        var media: PlaylistLine?
        for line in lines {
            if multivariant == nil, isMultivariant(line.name) { multivariant = line }
            if media == nil, isMedia(line.name) { media = line }
        }
        if let multivariant, let media {
            throw PlaylistError(
                .mixed, line: max(multivariant.number, media.number),
                "\(media.name) belongs into a media playlist, \(multivariant.name) into a multivariant one"
            )
        }
        let playlist: HLSPlaylist
        if multivariant != nil {
            var read = MultivariantPlaylistParser.parse(lines, limits: limits, faults: &faults)
            read.variables = variables.defined
            playlist = .multivariant(read)
        } else if media != nil {
            playlist = .media(MediaPlaylistParser.parse(lines, limits: limits, faults: &faults))
        } else {
            throw PlaylistError(
                .mixed, "the text has neither EXT-X-TARGETDURATION nor EXT-X-STREAM-INF")
        }
        return (playlist, faults.errors)
    }

    /// The playlist as UTF-8 lines that end with LF.
    public var text: String {
        switch self {
        case .multivariant(let playlist): playlist.text
        case .media(let playlist): playlist.text
        }
    }

    private static func isMultivariant(_ name: Substring) -> Bool {
        switch name {
        case "EXT-X-STREAM-INF", "EXT-X-MEDIA", "EXT-X-I-FRAME-STREAM-INF": true
        default: false
        }
    }

    private static func isMedia(_ name: Substring) -> Bool {
        switch name {
        case "EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE",
            "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-PART", "EXT-X-PART-INF", "EXT-X-SKIP":
            true
        default: false
        }
    }
}

extension MediaPlaylist {
    /// Reads a media playlist.
    /// - Throws: `PlaylistError`; `.mixed` if the text is a multivariant playlist.
    public init(
        parsing text: String, limits: PlaylistLimits = PlaylistLimits()
    ) throws(PlaylistError) {
        guard case .media(let playlist) = try HLSPlaylist.parse(text, limits: limits) else {
            throw PlaylistError(.mixed, "this is a multivariant playlist, not a media playlist")
        }
        self = playlist
    }
}

extension MultivariantPlaylist {
    /// Reads a multivariant playlist.
    /// - Throws: `PlaylistError`; `.mixed` if the text is a media playlist.
    public init(
        parsing text: String, limits: PlaylistLimits = PlaylistLimits()
    ) throws(PlaylistError) {
        guard case .multivariant(let playlist) = try HLSPlaylist.parse(text, limits: limits) else {
            throw PlaylistError(.mixed, "this is a media playlist, not a multivariant playlist")
        }
        self = playlist
    }
}
