/// Reads the lines of a multivariant playlist.
enum MultivariantPlaylistParser {
    /// Reads as much as possible; a line that breaks a rule is skipped and reported in `faults`.
    static func parse(
        _ lines: [PlaylistLine], limits: PlaylistLimits, faults: inout PlaylistFaults
    ) -> MultivariantPlaylist {
        var playlist = MultivariantPlaylist(version: 1)
        var pending: MultivariantPlaylist.Variant?
        for line in lines {
            do throws(PlaylistError) {
                try read(line, limits, &pending, &faults, into: &playlist)
            } catch {
                faults.add(error)
            }
        }
        if pending != nil {
            faults.add(
                PlaylistError(.missing, "the URI after the last EXT-X-STREAM-INF is missing"))
        }
        return playlist
    }

    private static func read(
        _ line: PlaylistLine, _ limits: PlaylistLimits,
        _ pending: inout MultivariantPlaylist.Variant?, _ faults: inout PlaylistFaults,
        into playlist: inout MultivariantPlaylist
    ) throws(PlaylistError) {
        if line.isURI {
            guard var variant = pending else {
                throw PlaylistError(
                    .missing, line: line.number, "the URI '\(line.value)' has no EXT-X-STREAM-INF")
            }
            pending = nil
            // The tag before could not be read, which has been reported.
            guard variant.bandwidth >= 0 else { return }
            variant.uri = String(line.value)
            playlist.variants.append(variant)
        } else if line.name == "EXT-X-STREAM-INF" {
            if pending != nil {
                faults.add(
                    PlaylistError(
                        .missing, line: line.number, "the EXT-X-STREAM-INF before has no URI"))
            }
            pending = .init(uri: "", bandwidth: -1)
            let attributes = try TagAttributes(line, limits: limits)
            pending = variant(attributes, &faults)
        } else {
            try tag(line, limits, into: &playlist)
        }
    }

    private static func tag(
        _ line: PlaylistLine, _ limits: PlaylistLimits, into playlist: inout MultivariantPlaylist
    ) throws(PlaylistError) {
        switch line.name {
        case "EXT-X-VERSION": playlist.version = max(1, try line.integer())
        case "EXT-X-INDEPENDENT-SEGMENTS": playlist.hasIndependentSegments = true
        case "EXT-X-START": playlist.start = try .init(TagAttributes(line, limits: limits))
        case "EXT-X-MEDIA":
            if let media = try rendition(TagAttributes(line, limits: limits)) {
                playlist.renditions.append(media)
            }
        case "EXT-X-I-FRAME-STREAM-INF":
            let attributes = try TagAttributes(line, limits: limits)
            playlist.iFrameStreams.append(
                .init(
                    uri: try attributes.required("URI"), bandwidth: try bandwidth(attributes),
                    averageBandwidth: try attributes.integer("AVERAGE-BANDWIDTH"),
                    codecs: codecs(attributes), resolution: try resolution(attributes)))
        default: break
        }
    }

    private static func variant(
        _ attributes: TagAttributes, _ faults: inout PlaylistFaults
    ) -> MultivariantPlaylist.Variant {
        /// Reports an attribute that cannot be read, and treats it as absent, because players play
        /// such a variant.
        func told<Value>(
            _ read: () throws(PlaylistError) -> Value?, _ faults: inout PlaylistFaults
        ) -> Value? {
            do throws(PlaylistError) { return try read() } catch {
                faults.add(error)
                return nil
            }
        }
        if attributes.string("BANDWIDTH") == nil {
            faults.add(
                PlaylistError(
                    .missing, line: attributes.line, "\(attributes.tag) has no BANDWIDTH"))
        }
        return .init(
            uri: "",
            bandwidth: told(
                { () throws(PlaylistError) in
                    try attributes.integer("BANDWIDTH")
                }, &faults) ?? 0,
            averageBandwidth: told(
                { () throws(PlaylistError) in
                    try attributes.integer("AVERAGE-BANDWIDTH")
                }, &faults),
            codecs: codecs(attributes),
            resolution: told({ () throws(PlaylistError) in try resolution(attributes) }, &faults),
            frameRate: told(
                { () throws(PlaylistError) in
                    try attributes.length("FRAME-RATE")
                }, &faults), audioGroup: attributes.string("AUDIO"),
            videoGroup: attributes.string("VIDEO"), subtitlesGroup: attributes.string("SUBTITLES"),
            closedCaptions: attributes.string("CLOSED-CAPTIONS"))
    }

    /// Reads a rendition; nil for a type that this version of the protocol does not have.
    private static func rendition(
        _ attributes: TagAttributes
    ) throws(PlaylistError) -> MultivariantPlaylist.Rendition? {
        let type = try attributes.required("TYPE")
        guard let kind = MultivariantPlaylist.Rendition.Kind(rawValue: type) else { return nil }
        return .init(
            kind: kind, groupID: try attributes.required("GROUP-ID"),
            name: try attributes.required("NAME"), uri: attributes.string("URI"),
            language: attributes.string("LANGUAGE"), isDefault: attributes.yes("DEFAULT"),
            isAutoselect: attributes.yes("AUTOSELECT"), isForced: attributes.yes("FORCED"),
            channels: attributes.string("CHANNELS"), instreamID: attributes.string("INSTREAM-ID"))
    }

    private static func bandwidth(_ attributes: TagAttributes) throws(PlaylistError) -> Int {
        try attributes.required("BANDWIDTH", attributes.integer("BANDWIDTH"))
    }

    private static func codecs(_ attributes: TagAttributes) -> [String] {
        (attributes.string("CODECS") ?? "").split(separator: ",").map { codec in
            var codec = codec
            while codec.first == " " { codec = codec.dropFirst() }
            while codec.last == " " { codec = codec.dropLast() }
            return String(codec)
        }.filter { !$0.isEmpty }
    }

    private static func resolution(
        _ attributes: TagAttributes
    ) throws(PlaylistError) -> MultivariantPlaylist.Resolution? {
        guard let text = attributes.string("RESOLUTION") else { return nil }
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = PlaylistNumber.integer(parts[0]),
            let height = PlaylistNumber.integer(parts[1])
        else {
            throw PlaylistError(
                .malformed, line: attributes.line,
                "\(attributes.tag): RESOLUTION=\(text) is not as 1280x720")
        }
        return .init(width: width, height: height)
    }
}
