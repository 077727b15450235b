/// Reads the lines of a media playlist.
struct MediaPlaylistParser {
    private let limits: PlaylistLimits
    private var playlist = MediaPlaylist(version: 1, targetDuration: 0)
    private var hasTargetDuration = false
    /// The segment that has no URI yet.
    private var next = MediaPlaylist.Segment(uri: "", duration: 0)
    private var hasDuration = false
    private var previousPart: MediaPlaylist.Part?

    init(limits: PlaylistLimits) { self.limits = limits }

    /// Reads as much as possible; a line that breaks a rule is skipped and reported in `faults`.
    static func parse(
        _ lines: [PlaylistLine], limits: PlaylistLimits, faults: inout PlaylistFaults
    ) -> MediaPlaylist {
        var parser = MediaPlaylistParser(limits: limits)
        for line in lines {
            do throws(PlaylistError) {
                try parser.read(line, &faults)
            } catch {
                faults.add(error)
                // A segment with an unreadable duration still has its media sequence number.
                if line.name == "EXTINF" { parser.hasDuration = true }
            }
        }
        return parser.finish(&faults)
    }

    private mutating func read(
        _ line: PlaylistLine, _ faults: inout PlaylistFaults
    ) throws(PlaylistError) {
        if line.isURI {
            try uri(line, &faults)
        } else if try !playlistTag(line), try !segmentTag(line) {
            try lowLatencyTag(line)
        }
    }

    private mutating func finish(_ faults: inout PlaylistFaults) -> MediaPlaylist {
        if !hasTargetDuration {
            faults.add(PlaylistError(.missing, "the playlist has no EXT-X-TARGETDURATION"))
            playlist.targetDuration = Int(
                (playlist.segments.map(\.duration).max() ?? 0).rounded(.up))
        }
        if hasDuration {
            faults.add(PlaylistError(.missing, "the URI after the last EXTINF is missing"))
        }
        if !next.parts.isEmpty || next.isDiscontinuity || next.programDateTime != nil {
            playlist.partialSegment = .init(
                parts: next.parts, isDiscontinuity: next.isDiscontinuity, isGap: next.isGap,
                programDateTime: next.programDateTime, map: next.map, key: next.key)
        }
        return playlist
    }

    private mutating func playlistTag(_ line: PlaylistLine) throws(PlaylistError) -> Bool {
        switch line.name {
        case "EXT-X-VERSION": playlist.version = max(1, try line.integer())
        case "EXT-X-TARGETDURATION":
            // Some servers write a fraction, and the tag is rounded up.
            guard let seconds = PlaylistNumber.decimal(line.value), seconds >= 0, seconds < 1e9
            else { throw line.malformed("is not a number of seconds") }
            playlist.targetDuration = Int(seconds.rounded(.up))
            hasTargetDuration = true
        case "EXT-X-MEDIA-SEQUENCE": playlist.mediaSequence = try line.sequence()
        case "EXT-X-DISCONTINUITY-SEQUENCE": playlist.discontinuitySequence = try line.sequence()
        case "EXT-X-PLAYLIST-TYPE":
            guard let type = MediaPlaylist.PlaylistType(rawValue: String(line.value)) else {
                throw line.malformed("is neither EVENT nor VOD")
            }
            playlist.type = type
        case "EXT-X-ENDLIST": playlist.hasEndList = true
        case "EXT-X-INDEPENDENT-SEGMENTS": playlist.hasIndependentSegments = true
        case "EXT-X-I-FRAMES-ONLY": playlist.isIFramesOnly = true
        case "EXT-X-START": playlist.start = try .init(TagAttributes(line, limits: limits))
        default: return false
        }
        return true
    }

    private mutating func segmentTag(_ line: PlaylistLine) throws(PlaylistError) -> Bool {
        switch line.name {
        case "EXTINF":
            guard !hasDuration else {
                throw PlaylistError(
                    .missing, line: line.number, "the EXTINF before has no URI")
            }
            let comma = line.value.utf8.firstIndex(of: 0x2C) ?? line.value.endIndex
            guard let seconds = PlaylistNumber.decimal(line.value[..<comma]), seconds >= 0 else {
                throw line.malformed("is no duration in seconds")
            }
            next.duration = seconds
            next.title =
                comma == line.value.endIndex ? "" : String(line.value[comma...].dropFirst())
            hasDuration = true
        case "EXT-X-BYTERANGE": next.byteRange = try .init(line.value, line)
        case "EXT-X-DISCONTINUITY": next.isDiscontinuity = true
        case "EXT-X-GAP": next.isGap = true
        case "EXT-X-PROGRAM-DATE-TIME":
            guard let date = ProgramDateTime(line.value) else {
                throw line.malformed("is no date and time as 2026-11-21T13:38:35.250Z")
            }
            next.programDateTime = date
        case "EXT-X-MAP":
            let attributes = try TagAttributes(line, limits: limits)
            var range: MediaPlaylist.ByteRange?
            if let text = attributes.string("BYTERANGE") {
                let read = try MediaPlaylist.ByteRange(text[...], line)
                range = .init(length: read.length, offset: read.offset ?? 0)
            }
            next.map = .init(
                uri: try attributes.required("URI"), byteRange: range,
                key: next.key.flatMap { $0.isInForce ? $0 : nil })
        case "EXT-X-KEY":
            let attributes = try TagAttributes(line, limits: limits)
            next.key = .init(
                method: try attributes.required("METHOD", attributes.token("METHOD")),
                uri: attributes.string("URI"),
                initializationVector: try attributes.token("IV"),
                keyFormat: attributes.string("KEYFORMAT"))
        case "EXT-X-BITRATE": next.bitrateKilobits = try line.integer()
        default: return false
        }
        return true
    }

    private mutating func lowLatencyTag(_ line: PlaylistLine) throws(PlaylistError) {
        switch line.name {
        case "EXT-X-SERVER-CONTROL":
            let attributes = try TagAttributes(line, limits: limits)
            let control = MediaPlaylist.ServerControl(
                canBlockReload: attributes.yes("CAN-BLOCK-RELOAD"),
                canSkipUntil: try attributes.length("CAN-SKIP-UNTIL"),
                canSkipDateRanges: attributes.yes("CAN-SKIP-DATERANGES"),
                holdBack: try attributes.length("HOLD-BACK"),
                partHoldBack: try attributes.length("PART-HOLD-BACK"))
            playlist.serverControl = control == .init() ? nil : control
        case "EXT-X-PART-INF":
            let attributes = try TagAttributes(line, limits: limits)
            playlist.partTarget = try attributes.required(
                "PART-TARGET", attributes.length("PART-TARGET"))
        case "EXT-X-SKIP":
            guard playlist.skippedSegments == nil, playlist.segments.isEmpty else {
                throw line.malformed("comes twice or after a segment")
            }
            let attributes = try TagAttributes(line, limits: limits)
            playlist.skippedSegments = try attributes.required(
                "SKIPPED-SEGMENTS", attributes.integer("SKIPPED-SEGMENTS"))
        case "EXT-X-PART": try part(line)
        case "EXT-X-PRELOAD-HINT":
            let attributes = try TagAttributes(line, limits: limits)
            let type = try attributes.required("TYPE")
            // A client skips types that it does not know (rfc8216bis, 4.4.5.3).
            guard let kind = MediaPlaylist.PreloadHint.Kind(rawValue: type) else { return }
            playlist.preloadHints.append(
                .init(
                    kind: kind, uri: try attributes.required("URI"),
                    byteRangeStart: try attributes.integer("BYTERANGE-START") ?? 0,
                    byteRangeLength: try attributes.integer("BYTERANGE-LENGTH")))
        case "EXT-X-RENDITION-REPORT":
            let attributes = try TagAttributes(line, limits: limits)
            playlist.renditionReports.append(
                .init(
                    uri: try attributes.required("URI"),
                    lastSequence: try attributes.sequence("LAST-MSN"),
                    lastPart: try attributes.integer("LAST-PART")))
        default: break
        }
    }

    private mutating func part(_ line: PlaylistLine) throws(PlaylistError) {
        let attributes = try TagAttributes(line, limits: limits)
        var part = MediaPlaylist.Part(
            uri: try attributes.required("URI"),
            duration: try attributes.required("DURATION", attributes.length("DURATION")),
            isIndependent: attributes.yes("INDEPENDENT"), isGap: attributes.yes("GAP"))
        if let text = attributes.string("BYTERANGE") {
            let range = try MediaPlaylist.ByteRange(text[...], line)
            let before = previousPart?.uri == part.uri ? previousPart?.byteRange : nil
            part.byteRange = try resolved(range, after: before, isFirst: before == nil, line)
        }
        next.parts.append(part)
        previousPart = part
    }

    private func resolved(
        _ range: MediaPlaylist.ByteRange, after before: MediaPlaylist.ByteRange?, isFirst: Bool,
        _ line: PlaylistLine
    ) throws(PlaylistError) -> MediaPlaylist.ByteRange {
        guard range.offset == nil else { return range }
        if let before, before.offset != nil {
            guard let offset = before.end else { throw line.malformed("goes beyond every file") }
            return .init(length: range.length, offset: offset)
        }
        if isFirst, playlist.skippedSegments == nil {
            throw line.malformed("has no offset, and no range of the same resource comes before it")
        }
        return range
    }

    private mutating func uri(
        _ line: PlaylistLine, _ faults: inout PlaylistFaults
    ) throws(PlaylistError) {
        guard hasDuration else {
            throw PlaylistError(
                .missing, line: line.number, "the segment '\(line.value)' has no EXTINF")
        }
        next.uri = String(line.value)
        if let range = next.byteRange {
            let previous = playlist.segments.last
            let before = previous?.uri == next.uri ? previous?.byteRange : nil
            do throws(PlaylistError) {
                next.byteRange = try resolved(range, after: before, isFirst: before == nil, line)
            } catch {
                // The segment still has its media sequence number, and players begin at 0.
                faults.add(error)
                next.byteRange = .init(length: range.length, offset: 0)
            }
        }
        playlist.segments.append(next)
        // Keys, maps and bit rates stay in force.
        next = MediaPlaylist.Segment(
            uri: "", duration: 0, map: next.map, key: next.key,
            bitrateKilobits: next.bitrateKilobits)
        hasDuration = false
    }
}

extension MediaPlaylist.StartPoint {
    init(_ attributes: TagAttributes) throws(PlaylistError) {
        self.init(
            timeOffset: try attributes.required(
                "TIME-OFFSET", attributes.decimal("TIME-OFFSET")),
            isPrecise: attributes.yes("PRECISE"))
    }
}
