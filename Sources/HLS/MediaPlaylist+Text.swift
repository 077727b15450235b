extension MediaPlaylist {
    /// The playlist as UTF-8 lines that end with LF.
    ///
    /// URIs are written unchanged: they must not contain line breaks.
    public var text: String {
        var writer = MediaPlaylistWriter()
        writer.line("#EXTM3U")
        if version > 1 { writer.line("#EXT-X-VERSION:\(version)") }
        writer.line("#EXT-X-TARGETDURATION:\(targetDuration)")
        if hasIndependentSegments { writer.line("#EXT-X-INDEPENDENT-SEGMENTS") }
        if let type { writer.line("#EXT-X-PLAYLIST-TYPE:\(type.rawValue)") }
        if isIFramesOnly { writer.line("#EXT-X-I-FRAMES-ONLY") }
        writer.write(start)
        if let control = serverControl {
            var list = AttributeList()
            list.add("CAN-BLOCK-RELOAD", yes: control.canBlockReload)
            list.add("CAN-SKIP-UNTIL", decimal: control.canSkipUntil)
            list.add("CAN-SKIP-DATERANGES", yes: control.canSkipDateRanges)
            list.add("HOLD-BACK", decimal: control.holdBack)
            list.add("PART-HOLD-BACK", decimal: control.partHoldBack)
            if !list.attributes.isEmpty { writer.tag("EXT-X-SERVER-CONTROL", list) }
        }
        if let partTarget {
            writer.line("#EXT-X-PART-INF:PART-TARGET=\(PlaylistNumber.text(partTarget))")
        }
        writer.line("#EXT-X-MEDIA-SEQUENCE:\(Self.sequenceText(mediaSequence))")
        if discontinuitySequence != 0 {
            let number = Self.sequenceText(discontinuitySequence)
            writer.line("#EXT-X-DISCONTINUITY-SEQUENCE:\(number)")
        }
        if let skippedSegments { writer.line("#EXT-X-SKIP:SKIPPED-SEGMENTS=\(skippedSegments)") }
        for segment in segments { writer.write(segment) }
        if let partial = partialSegment {
            writer.head(
                isDiscontinuity: partial.isDiscontinuity, key: partial.key, map: partial.map,
                programDateTime: partial.programDateTime)
            if partial.isGap { writer.line("#EXT-X-GAP") }
            for part in partial.parts { writer.write(part) }
        }
        for hint in preloadHints { writer.write(hint) }
        for report in renditionReports { writer.write(report) }
        if hasEndList { writer.line("#EXT-X-ENDLIST") }
        return writer.text
    }
}

extension MediaPlaylist.ByteRange {
    /// Range as `length@offset`.
    var text: String { offset.map { "\(length)@\($0)" } ?? "\(length)" }

    init(_ text: Substring, _ line: PlaylistLine) throws(PlaylistError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let offset = parts.count == 2 ? PlaylistNumber.integer(parts[1]) : nil
        guard let length = PlaylistNumber.integer(parts[0]), parts.count == 1 || offset != nil
        else { throw line.malformed("is no byte range as length@offset") }
        self.init(length: length, offset: offset)
    }
}
