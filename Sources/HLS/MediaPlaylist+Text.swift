extension MediaPlaylist {
    /// The playlist as UTF-8 lines that end with LF.
    ///
    /// URIs are written unchanged: they must not contain line breaks.
    public var text: String {
        var writer = Writer()
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

    /// Writes lines; it writes a tag that stays in force only when the tag changes.
    private struct Writer {
        var text = ""
        private var map: InitializationSection?
        private var key: EncryptionKey?
        private var bitrate: Int?

        mutating func line(_ line: String) {
            text += line
            text += "\n"
        }

        mutating func tag(_ name: String, _ list: AttributeList) { line("#\(name):\(list.text)") }

        mutating func write(_ start: StartPoint?) {
            guard let start else { return }
            var list = AttributeList()
            list.add("TIME-OFFSET", decimal: start.timeOffset)
            list.add("PRECISE", yes: start.isPrecise)
            tag("EXT-X-START", list)
        }

        mutating func head(
            isDiscontinuity: Bool, key: EncryptionKey?, map: InitializationSection?,
            programDateTime: ProgramDateTime?
        ) {
            if isDiscontinuity { line("#EXT-X-DISCONTINUITY") }
            // The key that is in force at an EXT-X-MAP tag applies to its section.
            if let map, map != self.map, map.key == self.key { write(map) }
            if let key, key != self.key {
                var list = AttributeList()
                list.add("METHOD", key.method)
                list.add("URI", quoted: key.uri)
                if let vector = key.initializationVector { list.add("IV", vector) }
                list.add("KEYFORMAT", quoted: key.keyFormat)
                tag("EXT-X-KEY", list)
                self.key = key
            }
            if let map, map != self.map { write(map) }
            if let programDateTime { line("#EXT-X-PROGRAM-DATE-TIME:\(programDateTime)") }
        }

        private mutating func write(_ map: InitializationSection) {
            var list = AttributeList()
            list.add("URI", quoted: map.uri)
            list.add("BYTERANGE", quoted: map.byteRange?.text)
            tag("EXT-X-MAP", list)
            self.map = map
        }

        mutating func write(_ segment: Segment) {
            head(
                isDiscontinuity: segment.isDiscontinuity, key: segment.key, map: segment.map,
                programDateTime: segment.programDateTime)
            for part in segment.parts { write(part) }
            if let rate = segment.bitrateKilobits, rate != bitrate {
                line("#EXT-X-BITRATE:\(rate)")
                bitrate = rate
            }
            if segment.isGap { line("#EXT-X-GAP") }
            line("#EXTINF:\(PlaylistNumber.text(segment.duration)),\(segment.title)")
            if let range = segment.byteRange { line("#EXT-X-BYTERANGE:\(range.text)") }
            line(segment.uri)
        }

        mutating func write(_ part: Part) {
            var list = AttributeList()
            list.add("DURATION", decimal: part.duration)
            list.add("URI", quoted: part.uri)
            list.add("BYTERANGE", quoted: part.byteRange?.text)
            list.add("INDEPENDENT", yes: part.isIndependent)
            list.add("GAP", yes: part.isGap)
            tag("EXT-X-PART", list)
        }

        mutating func write(_ hint: PreloadHint) {
            var list = AttributeList()
            list.add("TYPE", hint.kind.rawValue)
            list.add("URI", quoted: hint.uri)
            if hint.byteRangeStart > 0 { list.add("BYTERANGE-START", integer: hint.byteRangeStart) }
            list.add("BYTERANGE-LENGTH", integer: hint.byteRangeLength)
            tag("EXT-X-PRELOAD-HINT", list)
        }

        mutating func write(_ report: RenditionReport) {
            var list = AttributeList()
            list.add("URI", quoted: report.uri)
            if let sequence = report.lastSequence {
                list.add("LAST-MSN", sequenceText(sequence))
            }
            list.add("LAST-PART", integer: report.lastPart)
            tag("EXT-X-RENDITION-REPORT", list)
        }
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
